// A session's policy with the ports of the host's loopback that the session was given by name
// (`--host-port`): being named allows them, unless a rule denies it.
//
// Threads: any.
#pragma once

#include "proxy/flows/gate_policy.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace agentsh {

class HostPortPolicy final : public flows::FlowPolicy {
 public:
  HostPortPolicy(std::shared_ptr<policy::Gate> gate, std::vector<std::uint16_t> host_ports)
      : rules_(std::move(gate)), host_ports_(std::move(host_ports)) {}

  const std::string& session_id() const override { return rules_.session_id(); }
  std::shared_ptr<const void> version() const override { return rules_.version(); }
  policy::Verdict judge(const policy::ConnectFacts& facts) const override;
  std::string settle(policy::Verdict verdict, policy::ApprovalRequest request, audit::Event event,
                     Callback done) override {
    return rules_.settle(std::move(verdict), std::move(request), std::move(event), std::move(done));
  }
  void abandon(const std::string& approval_id) override { rules_.abandon(approval_id); }
  void record(audit::Event event) override { rules_.record(std::move(event)); }
  void record(audit::Event event, const policy::Verdict& verdict) override {
    rules_.record(std::move(event), verdict);
  }

 private:
  flows::GatePolicy rules_;
  const std::vector<std::uint16_t> host_ports_;
};

}  // namespace agentsh
