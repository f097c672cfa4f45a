#include "proxy/dns/lookup_runner.h"

#include <boost/asio/post.hpp>

#include <chrono>
#include <utility>

namespace agentsh::dns {

using policy::Verdict;

void LookupRunner::run(std::shared_ptr<Lookup> lookup, Step step, Done done) {
  if (!lookup->session().begin_wait()) {
    lookup->give_up(ErrorInfo::kNotReady, "too many questions of this session wait for an answer");
    done(*lookup);
    return;
  }
  go_on(std::move(lookup), step, std::move(done));
}

void LookupRunner::go_on(std::shared_ptr<Lookup> lookup, Step step, Done done) {
  switch (step) {
    case Step::kDone:
      lookup->session().end_wait();
      done(*lookup);
      return;
    case Step::kAskUpstream: {
      const UpstreamQuestion& question = lookup->next_question();
      upstream_->ask(question, [self = shared_from_this(), lookup,
                                done = std::move(done)](AnswerPtr answer) mutable {
        const Step next =
            lookup->upstream_answered(std::move(answer), std::chrono::steady_clock::now());
        self->go_on(std::move(lookup), next, std::move(done));
      });
      return;
    }
    case Step::kAskApproval:
      ask_approval(std::move(lookup), std::move(done));
      return;
  }
}

// The first to wait for a name asks; whoever comes later joins.
void LookupRunner::ask_approval(std::shared_ptr<Lookup> lookup, Done done) {
  const std::string& host = lookup->query().host;
  const auto place = lookup->session().approvals().wait(
      host,
      [self = shared_from_this(), lookup, done](const Verdict& verdict) {
        boost::asio::post(self->executor_, [self, lookup, done, verdict] {
          const Step next = lookup->approval_settled(verdict, std::chrono::steady_clock::now());
          self->go_on(lookup, next, done);
        });
      },
      std::chrono::steady_clock::now());
  if (place == ApprovalBook::Place::kFull) {
    const Step next = lookup->approval_settled(
        Verdict::deny(lookup->open_verdict().rule(), "too many names wait for approval"),
        std::chrono::steady_clock::now());
    go_on(std::move(lookup), next, std::move(done));
    return;
  }
  if (place != ApprovalBook::Place::kFirst) return;
  const std::shared_ptr<Session> session = lookup->shared_session();
  session->policy().settle(
      lookup->open_verdict(), lookup->query().actor, host, [session, host](const Verdict& verdict) {
        session->approvals().settle(host, verdict, std::chrono::steady_clock::now());
      });
}

}  // namespace agentsh::dns
