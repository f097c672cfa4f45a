// Who a caller of the control API is, and what it may do.
//
//   Unix socket   root and the daemon's own user are admins; other users that the socket lets in
//   may make and use
//                 sessions of their own and answer approvals of those. A peer inside a session is
//                 nobody.
//   TCP           what the API key says; without a key, nobody.
//
// Threads: any, after creation.
#pragma once

#include "appliance/api/exchange.h"
#include "appliance/config/api_keys.h"
#include "appliance/config/config.h"

#include <memory>
#include <optional>

namespace agentsh {

class Authentication {
 public:
  static Result<std::unique_ptr<Authentication>> create(const config::ServerConfig& config,
                                                        bool rootless);

  // Fills in the caller's role and, for keys, its name.
  void identify(const api::Request& request, api::Caller& caller) const;

 private:
  Authentication() = default;
  std::optional<config::ApiKeys> keys_;
  std::uint64_t own_pid_namespace_ = 0;  // Inode number.
  uid_t own_uid_ = 0;
};

}  // namespace agentsh
