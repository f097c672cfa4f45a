// DnsPolicy and QueryObserver over a session's gate: questions are judged by its compiled policy,
// and each becomes a `dns_query` event in its audit trail.
//
// Threads: any. Lifetime: gate and recorder must outlive them, and the sessions that hold them.
// Fails closed: while the recorder cannot write and is configured to deny then, every name is
// denied.
#pragma once

#include "audit/recorder.h"
#include "policies/gate.h"
#include "proxy/dns/dns_policy.h"
#include "proxy/dns/query_observer.h"

namespace agentsh::dns {

// The questions about a compiled policy, without a gate.
Judgement judge_name(const policy::CompiledPolicy& policy, const policy::DnsFacts& facts);
std::optional<NameRedirect> redirect_of(const policy::CompiledPolicy& policy,
                                        std::string_view name);
bool allows_special(const policy::CompiledPolicy& policy, std::string_view name,
                    const IpAddress& address);

class GatePolicy : public DnsPolicy {
 public:
  GatePolicy(policy::Gate& gate, const audit::Recorder& recorder)
      : gate_(gate), recorder_(recorder) {}

  std::shared_ptr<const void> version() const override;
  Judgement judge(const policy::DnsFacts& facts) const override;
  std::optional<NameRedirect> redirect(std::string_view name) const override;
  bool allows_special_address(std::string_view name, const IpAddress& address) const override;
  // Asks for an approval of kind "dns"; what became of it is recorded as `dns_policy`.
  void settle(policy::Verdict verdict, const policy::Actor& actor, std::string_view name,
              std::function<void(policy::Verdict)> done) const override;

 private:
  policy::Gate& gate_;
  const audit::Recorder& recorder_;
};

class GateObserver : public QueryObserver {
 public:
  explicit GateObserver(policy::Gate& gate) : gate_(gate) {}
  void answered(const QueryReport& report) override;
  void malformed(const MalformedReport& report) override;

 private:
  policy::Gate& gate_;
};

}  // namespace agentsh::dns
