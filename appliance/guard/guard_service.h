// The standing database guard: its listeners and worker threads. Each listener leads to one service
// of one policy.
//
// Threads: create(), reload() and the destructor from the daemon's loop.
#pragma once

#include "appliance/config/config.h"
#include "audit/recorder.h"
#include "base/ip.h"
#include "base/result.h"
#include "policies/approval_queue.h"
#include "policies/policy_store.h"
#include "proxy/services/secret_source.h"

#include <memory>
#include <vector>

namespace agentsh::guard {

class GuardService {
 public:
  struct Parts {
    const config::ServerConfig& config;
    audit::Recorder& recorder;
    policy::ApprovalQueue& approvals;
    policy::PolicyStore& policies;
    std::shared_ptr<services::SecretSource> secrets;
  };
  // Listens. Errors: an address that is taken, a policy or service that is not there, TLS without
  // credentials, a certificate that cannot be read. Null when the configuration has no listener.
  static Result<std::unique_ptr<GuardService>> create(const Parts& parts);
  // Ends all connections, the workers' threads last.
  ~GuardService();

  std::vector<Endpoint> addresses() const;
  // Policies are looked at again. One that has become bad stays as it was.
  void reload();

 private:
  struct State;
  explicit GuardService(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::guard
