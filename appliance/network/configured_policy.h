// A session's policy with what the configuration and the session's creation add to it:
//
//   --host-port                 being named allows a port of the host's loopback, unless a rule
//                               denies it
//   http_services               the host of one without allow_direct is no destination by itself;
//                               whoever tries is told so (http_service_denied_direct)
//   server.http.addr            the control API is never a destination, whatever a rule allows
//   sandbox.network.tls_inspection.enabled: false, tls_passthrough
//                               TLS of these hosts is passed on as it is
//
// Threads: any.
#pragma once

#include "appliance/config/config.h"
#include "proxy/flows/gate_policy.h"
#include "proxy/services/session_services.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agentsh {

class ConfiguredPolicy final : public flows::FlowPolicy {
 public:
  // `config` outlives the policy.
  ConfiguredPolicy(std::shared_ptr<policy::Gate> gate, std::vector<std::uint16_t> host_ports,
                   const config::ServerConfig& config,
                   std::shared_ptr<const services::SessionServices> services)
      : rules_(std::move(gate)),
        services_(std::move(services)),
        host_ports_(std::move(host_ports)),
        network_(config.sandbox.network),
        control_api_(config.server.http.address) {}

  const std::string& session_id() const override { return rules_.session_id(); }
  std::shared_ptr<const void> version() const override { return rules_.version(); }
  policy::Verdict judge(const policy::ConnectFacts& facts) const override;
  std::string settle(policy::Verdict verdict, policy::ApprovalRequest request, audit::Event event,
                     Callback done) override;
  void abandon(const std::string& approval_id) override { rules_.abandon(approval_id); }
  void record(audit::Event event) override { rules_.record(std::move(event)); }
  void record(audit::Event event, const policy::Verdict& verdict) override {
    rules_.record(std::move(event), verdict);
  }

 private:
  bool passes_tls(std::string_view host) const;
  bool is_control_api(const policy::ConnectFacts& facts) const;

  flows::GatePolicy rules_;
  const std::shared_ptr<const services::SessionServices> services_;  // May be null.
  const std::vector<std::uint16_t> host_ports_;
  const config::NetworkSection& network_;
  const std::optional<Endpoint> control_api_;
};

}  // namespace agentsh
