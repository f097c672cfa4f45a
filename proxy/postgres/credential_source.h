// Where the guard gets what it logs in upstream with. The appliance implements it
// (appliance/guard/upstream_credentials.h).
#pragma once

#include "base/secret_text.h"
#include "certs/leaf.h"
#include "policies/model.h"
#include "sqlguard/login/login_failure.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::pg {

struct ServerCredentials {
  std::shared_ptr<const SecretText> password;      // Null: there is none.
  std::shared_ptr<const certs::Leaf> certificate;  // To show to the server; null: none.
};

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;

  // What a service's credentials refer to, with the providers of their policy. A failure names the
  // reference, never a value. Threads: any; resumes on the caller's executor.
  virtual boost::asio::awaitable<sql::LoginResult<ServerCredentials>> resolve(
      std::string service, policy::DbCredentials credentials,
      std::vector<policy::SecretProvider> providers) = 0;
};

}  // namespace agentsh::pg
