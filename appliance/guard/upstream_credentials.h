// Credentials of database services, from the daemon's secrets: passwords by reference (env:, file:,
// exec:, vault://), certificates and keys from files that must be the daemon's alone.
//
// Threads: any number of coroutines on any executors.
#pragma once

#include "proxy/postgres/credential_source.h"
#include "proxy/services/secret_source.h"

#include <sys/types.h>

#include <memory>

namespace agentsh::guard {

class UpstreamCredentials final : public pg::CredentialSource {
 public:
  // `reader` is who the daemon is: key files must be theirs and closed to others.
  UpstreamCredentials(std::shared_ptr<services::SecretSource> secrets, uid_t reader)
      : secrets_(std::move(secrets)), reader_(reader) {}

  boost::asio::awaitable<sql::LoginResult<pg::ServerCredentials>> resolve(
      std::string service, policy::DbCredentials credentials,
      std::vector<policy::SecretProvider> providers) override;

 private:
  const std::shared_ptr<services::SecretSource> secrets_;
  const uid_t reader_;
};

}  // namespace agentsh::guard
