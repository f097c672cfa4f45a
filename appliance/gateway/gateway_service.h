// The standing LLM gateway: its listeners and worker threads, and what their connections share.
//
// Threads: create(), reload() and the destructor from the daemon's loop.
#pragma once

#include "appliance/config/config.h"
#include "appliance/gateway/accounting.h"
#include "appliance/llm/llm_service.h"
#include "audit/recorder.h"
#include "base/ip.h"
#include "base/result.h"
#include "proxy/gateway/keys.h"
#include "proxy/services/secret_source.h"

#include <memory>
#include <vector>

namespace agentsh {

class GatewayService {
 public:
  struct Parts {
    const config::ServerConfig& config;
    audit::Recorder& recorder;
    std::shared_ptr<Accounting> accounting;
    std::shared_ptr<gateway::KeyStore> keys;
    const LlmService& llm;
    std::shared_ptr<services::SecretSource> secrets;
  };
  // Listens. Errors: an address that is taken, certificates, routes to upstreams that are not
  // there. Null when the configuration has no listener.
  static Result<std::unique_ptr<GatewayService>> create(const Parts& parts);
  // Ends all connections, the workers' threads last.
  ~GatewayService();

  // Where it listens.
  std::vector<Endpoint> addresses() const;
  // Certificates and providers' keys are read again.
  void reload();

 private:
  struct State;
  explicit GatewayService(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh
