// The only door: every operation of a session is decided and recorded here.
//
// One Gate per session. It holds the session's compiled policy (swapped as a whole on reload),
// settles approvals through the queue, and writes one audit event per decision. Proxy flows, the
// DNS service, the control API and the seccomp supervisor all ask it, so what is enforced and what
// is recorded cannot differ.
//
//   gate.decide(actor, ConnectFacts{...}, [flow](Verdict verdict) { ... });
//
// Failing closed: when audit cannot be written and the policy demands it, when the queue denies,
// when a waiter goes away, the verdict is a denial that names its reason.
//
// Threads: any; decide() never blocks. The callback runs at once unless an approval is needed; then
// on the thread that answers.
#pragma once

#include "audit/event.h"
#include "audit/recorder.h"
#include "policies/approval_queue.h"
#include "policies/facts.h"
#include "policies/verdict.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace agentsh::policy {

class CompiledPolicy;

class Gate {
 public:
  using Callback = std::function<void(Verdict)>;

  Gate(std::string session_id, std::shared_ptr<const CompiledPolicy> policy,
       audit::Recorder& recorder, ApprovalQueue& approvals);

  // Withdraws the approvals that the session still waits for. A callback that runs at this moment
  // on another thread may still use the recorder, which therefore outlives every gate.
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  const std::string& session_id() const { return state_->session_id; }
  std::shared_ptr<const CompiledPolicy> policy() const { return state_->policy.load(); }
  // Later decisions use `policy`; open approvals keep the verdict they were asked with.
  void set_policy(std::shared_ptr<const CompiledPolicy> policy) {
    state_->policy.store(std::move(policy));
  }

  // What a decision that is kept for later use was made under: it stands while this is the same.
  // Null, and so never the same, while the log cannot be written and that is not to be tolerated.
  std::shared_ptr<const void> version() const;

  // Pure look-ups that record nothing: for questions that are only a step (each leased name of an
  // address) and for `policy-test`. They deny while the log cannot be written and that is not to be
  // tolerated, so that no caller has to think of it.
  Verdict judge(const ConnectFacts& facts) const;
  Verdict judge(const DnsFacts& facts) const;
  Verdict judge(const CommandFacts& facts) const;

  // Settles `verdict` (waiting for an approval if it needs one), records `event` with it and calls
  // back. The event's session id and policy are filled in here. Returns the id of the approval that
  // is being waited for, or "" when the callback has run.
  std::string settle(Verdict verdict, ApprovalRequest request, audit::Event event, Callback done);

  // Records an event that carries no decision (net_close, command_finished) or whose verdict is
  // final already. The policy's audit block may leave out the latter (log_allowed: false).
  void record(audit::Event event);
  void record(audit::Event event, const Verdict& verdict);

  // The waiter of an approval is gone: the request is withdrawn.
  void abandon(const std::string& approval_id) { approvals_.abandon(approval_id); }

 private:
  // What a callback of the queue needs, kept alive by it.
  struct State {
    const std::string session_id;
    std::atomic<std::shared_ptr<const CompiledPolicy>> policy;
    audit::Recorder& recorder;

    void record(audit::Event event);
    void record(audit::Event event, const Verdict& verdict);
    // The verdict, or a denial while the log cannot be written and that is not to be tolerated.
    Verdict audited(Verdict verdict) const;
  };

  std::shared_ptr<State> state_;
  ApprovalQueue& approvals_;
};

}  // namespace agentsh::policy
