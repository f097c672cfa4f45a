#include "policies/gate.h"

#include "policies/compiled_policy.h"

#include <fmt/format.h>

namespace agentsh::policy {
namespace {

constexpr std::string_view kAuditUnavailable = "audit-unavailable";

audit::PolicyInfo policy_info(const Verdict& verdict) {
  const bool noted = verdict.effective() == Decision::kAudit;  // Allowed, and always recorded.
  return {
      .decision = std::string(to_string(verdict.decision())),
      .effective_decision = std::string(to_string(noted ? Decision::kAllow : verdict.effective())),
      .rule = verdict.rule(),
      .message = verdict.message(),
      .approval_id = verdict.approval_id(),
      .redirect_target = verdict.redirect() ? verdict.redirect()->target : std::string()};
}

// The audit block says which decisions are worth a line. A denial that a person made is a denial.
bool is_logged(const AuditRules& rules, const Verdict& verdict) {
  if (!verdict.permitted()) return rules.log_denied;
  if (verdict.decision() == Decision::kAudit) return true;  // That is what the rule is for.
  return verdict.decision() == Decision::kApprove ? rules.log_approved : rules.log_allowed;
}

audit::Event approval_event(std::string type, const audit::Event& cause, std::string_view id) {
  audit::Event event(std::move(type));
  event.command_id = cause.command_id;
  event.source = cause.source;
  event.pid = cause.pid;
  event.program = cause.program;
  event.path = cause.path;
  event.domain = cause.domain;
  event.remote = cause.remote;
  event.operation = cause.operation;
  event.field("approval_id", std::string(id));
  return event;
}

audit::Event requested_event(const ApprovalRequest& request, const audit::Event& cause,
                             std::chrono::nanoseconds timeout) {
  audit::Event event = approval_event("approval_requested", cause, request.id);
  event.field("kind", request.kind)
      .field("target", request.target)
      .field("rule", request.rule)
      .field("message", request.message)
      .field("timeout", format_duration(timeout));
  return event;
}

audit::Event resolved_event(const ApprovalAnswer& answer, const audit::Event& cause) {
  audit::Event event = approval_event("approval_resolved", cause, answer.id);
  event.field("outcome", std::string(to_string(answer.outcome)))
      .field("reason", answer.reason)
      .field("resolved_by", answer.resolved_by);
  return event;
}

}  // namespace

Gate::Gate(std::string session_id, std::shared_ptr<const CompiledPolicy> policy,
           audit::Recorder& recorder, ApprovalQueue& approvals)
    : state_(std::make_shared<State>(std::move(session_id), std::move(policy), recorder)),
      approvals_(approvals) {}

Gate::~Gate() {
  approvals_.abandon_session(session_id());
}

Verdict Gate::judge(const ConnectFacts& facts) const {
  return state_->audited(policy()->decide(facts));
}
Verdict Gate::judge(const DnsFacts& facts) const {
  return state_->audited(policy()->decide(facts));
}
Verdict Gate::judge(const CommandFacts& facts) const {
  return state_->audited(policy()->decide(facts));
}

std::string Gate::settle(Verdict verdict, ApprovalRequest request, audit::Event event,
                         Callback done) {
  verdict = state_->audited(std::move(verdict));
  if (!verdict.needs_approval()) {
    state_->record(std::move(event), verdict);
    done(std::move(verdict));
    return {};
  }
  if (request.id.empty()) request.id = new_approval_id();
  request.session_id = session_id();
  request.rule = verdict.rule();
  request.message = verdict.message();
  if (request.command_id.empty()) request.command_id = event.command_id;
  const auto timeout = verdict.approval_timeout().value_or(approvals_.default_timeout());
  if (approvals_.enabled()) state_->record(requested_event(request, event, timeout));
  auto answered = std::make_shared<std::atomic<bool>>(false);
  const std::string id = approvals_.submit(
      std::move(request), timeout,
      [state = state_, answered, verdict = std::move(verdict), event = std::move(event),
       done = std::move(done)](const ApprovalAnswer& answer) mutable {
        answered->store(true);
        if (answer.outcome != ApprovalOutcome::kNoApprover) {
          state->record(resolved_event(answer, event));
        }
        const bool approved = answer.outcome == ApprovalOutcome::kApproved;
        Verdict settled =
            state->audited(std::move(verdict).settled(approved, answer.id, answer.reason));
        state->record(std::move(event), settled);
        done(std::move(settled));
      });
  return answered->load() ? std::string() : id;
}

std::shared_ptr<const void> Gate::version() const {
  if (!state_->recorder.healthy()) return nullptr;
  return policy();
}

void Gate::record(audit::Event event) {
  state_->record(std::move(event));
}

void Gate::record(audit::Event event, const Verdict& verdict) {
  state_->record(std::move(event), verdict);
}

void Gate::State::record(audit::Event event) {
  event.session_id = session_id;
  recorder.record(std::move(event));
}

void Gate::State::record(audit::Event event, const Verdict& verdict) {
  if (!is_logged(policy.load()->policy().audit, verdict)) return;
  event.policy = policy_info(verdict);
  record(std::move(event));
}

Verdict Gate::State::audited(Verdict verdict) const {
  if (recorder.healthy() || !(verdict.permitted() || verdict.needs_approval())) return verdict;
  return Verdict::deny(kAuditUnavailable,
                       "the audit log cannot be written, and the configuration denies everything "
                       "until it can");
}

}  // namespace agentsh::policy
