#include "appliance/authentication.h"

#include "base/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace agentsh {
namespace {

// The identity of a process's PID namespace, 0 when it cannot be seen.
std::uint64_t pid_namespace(const std::string& process) {
  struct stat status;
  return ::stat(("/proc/" + process + "/ns/pid").c_str(), &status) == 0 ? status.st_ino : 0;
}

api::Role role_of(config::Role role) {
  switch (role) {
    case config::Role::kAgent:
      return api::Role::kAgent;
    case config::Role::kApprover:
      return api::Role::kApprover;
    case config::Role::kAdmin:
      return api::Role::kAdmin;
  }
  return api::Role::kNone;
}

}  // namespace

Result<std::unique_ptr<Authentication>> Authentication::create(const config::ServerConfig& config,
                                                               bool) {
  std::unique_ptr<Authentication> authentication(new Authentication());
  authentication->own_uid_ = ::geteuid();
  authentication->own_pid_namespace_ = pid_namespace("self");
  if (config.auth.type == config::AuthType::kApiKey ||
      config.auth.type == config::AuthType::kHybrid) {
    auto keys = config::ApiKeys::load(config.auth.keys_file, ::geteuid());
    if (!keys) return std::unexpected(keys.error());
    authentication->keys_ = std::move(*keys);
  } else if (config.server.http.address) {
    log_warning("api",
                "server.http.addr is set but auth.type is none: nothing but the health checks is "
                "answered on TCP");
  }
  return authentication;
}

void Authentication::identify(const api::Request& request, api::Caller& caller) const {
  caller.role = api::Role::kNone;
  if (!caller.local) {
    const config::ApiKey* key =
        keys_ && !request.api_key.empty() ? keys_->find(request.api_key) : nullptr;
    if (key == nullptr) return;
    caller.role = role_of(key->role);
    caller.name = "key " + key->id;
    return;
  }
  // A session's processes have a PID namespace below ours. They cannot reach the socket; if one
  // did, it is refused.
  if (caller.pid == 0) return;
  const std::uint64_t theirs = pid_namespace(std::to_string(caller.pid));
  const bool ours_to_see = caller.uid == own_uid_ || own_uid_ == 0;
  if (theirs != own_pid_namespace_ && (theirs != 0 || ours_to_see)) return;
  caller.role =
      caller.uid == 0 || caller.uid == own_uid_ ? api::Role::kAdmin : api::Role::kApprover;
}

}  // namespace agentsh
