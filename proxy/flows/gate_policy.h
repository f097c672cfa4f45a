// The session's gate as what flows ask.
#pragma once

#include "policies/gate.h"
#include "proxy/flows/services.h"

namespace agentsh::flows {

class GatePolicy final : public FlowPolicy {
 public:
  // Shares the gate: a flow may end after its session.
  explicit GatePolicy(std::shared_ptr<policy::Gate> gate) : gate_(std::move(gate)) {}

  const std::string& session_id() const override { return gate_->session_id(); }
  std::shared_ptr<const void> version() const override { return gate_->version(); }
  policy::Verdict judge(const policy::ConnectFacts& facts) const override {
    return gate_->judge(facts);
  }
  std::string settle(policy::Verdict verdict, policy::ApprovalRequest request, audit::Event event,
                     Callback done) override {
    return gate_->settle(std::move(verdict), std::move(request), std::move(event), std::move(done));
  }
  void abandon(const std::string& approval_id) override { gate_->abandon(approval_id); }
  void record(audit::Event event) override { gate_->record(std::move(event)); }
  void record(audit::Event event, const policy::Verdict& verdict) override {
    gate_->record(std::move(event), verdict);
  }

 private:
  const std::shared_ptr<policy::Gate> gate_;
};

}  // namespace agentsh::flows
