#include "proxy/dns/gate_binding.h"

#include "base/domain.h"
#include "policies/compiled_policy.h"

namespace agentsh::dns {

using policy::Verdict;

Judgement judge_name(const policy::CompiledPolicy& policy, const policy::DnsFacts& facts) {
  Judgement judgement{policy.decide(facts)};
  if (judgement.verdict.permitted() && !is_subdomain_of(facts.name, "local")) return judgement;
  const auto rule = policy.network().match(facts);
  judgement.named = rule && policy.network().names_host(*rule, facts.name);
  return judgement;
}

std::optional<NameRedirect> redirect_of(const policy::CompiledPolicy& policy,
                                        std::string_view name) {
  const auto* target = policy.redirects().for_name(name);
  if (target == nullptr) return {};
  // The loader takes nothing but an address here; were it not one, no answer would be made up.
  const auto address = IpAddress::parse(target->redirect->target);
  if (!address) return {};
  const policy::Redirect& redirect = *target->redirect;
  return NameRedirect{target->rule, *address,
                      redirect.warn ? "warn" : (redirect.audit_only ? "audit_only" : "silent")};
}

bool allows_special(const policy::CompiledPolicy& policy, std::string_view name,
                    const IpAddress& address) {
  // Where connections to the name are redirected, its own address is not what is reached.
  return policy.network().permits_some_port(name, address) ||
         policy.redirects().for_some_port(name) != nullptr;
}

std::shared_ptr<const void> GatePolicy::version() const {
  return gate_.version();
}

Judgement GatePolicy::judge(const policy::DnsFacts& facts) const {
  Judgement judgement = judge_name(*gate_.policy(), facts);
  if (recorder_.healthy()) return judgement;
  if (!judgement.verdict.permitted() && !judgement.verdict.needs_approval()) return judgement;
  return {Verdict::deny("audit-unavailable",
                        "the audit log cannot be written, and the configuration denies everything "
                        "until it can"),
          true};
}

std::optional<NameRedirect> GatePolicy::redirect(std::string_view name) const {
  if (!recorder_.healthy()) return {};  // judge() is asked next, and denies.
  return redirect_of(*gate_.policy(), name);
}

bool GatePolicy::allows_special_address(std::string_view name, const IpAddress& address) const {
  return allows_special(*gate_.policy(), name, address);
}

void GatePolicy::settle(Verdict verdict, const policy::Actor& actor, std::string_view name,
                        std::function<void(Verdict)> done) const {
  policy::ApprovalRequest request;
  request.command_id = actor.command_id;
  request.kind = "dns";
  request.target = name;
  audit::Event event("dns_policy");
  event.command_id = actor.command_id;
  event.source = "dns";
  event.pid = actor.pid;
  event.program = actor.program;
  event.domain = name;
  event.operation = "resolve";
  gate_.settle(std::move(verdict), std::move(request), std::move(event), std::move(done));
}

void GateObserver::answered(const QueryReport& report) {
  const Verdict& verdict = report.outcome.verdict;
  if (auto redirect = redirect_event(report)) gate_.record(std::move(*redirect), verdict);
  gate_.record(to_event(report), verdict);
}

void GateObserver::malformed(const MalformedReport& report) {
  gate_.record(to_event(report));
}

}  // namespace agentsh::dns
