#include "proxy/dns/resolver.h"

#include "proxy/dns/query_handler.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace agentsh::dns {
namespace {

namespace asio = boost::asio;

// The two questions of one name, and what they found.
struct Both {
  Resolution result;
  int open = 2;
  bool denied = false;
  bool failed = false;
  Resolver::Done done;
};

void take(Both& both, const Lookup& lookup) {
  const Outcome& outcome = lookup.outcome();
  Resolution& result = both.result;
  const auto place =
      lookup.query().type == RrType::kAaaa ? result.addresses.begin() : result.addresses.end();
  result.addresses.insert(place, outcome.addresses.begin(), outcome.addresses.end());
  const bool denied = !outcome.verdict.permitted();
  const bool failed = !denied && outcome.rcode == Rcode::kServFail;
  both.denied |= denied;
  both.failed |= failed;
  // A denial's words are worth more than a failure's, and both more than silence.
  if (denied || (failed && !both.denied) || both.open == 2) {
    result.verdict = outcome.verdict;
    result.reason = outcome.reason;
  }
  if (--both.open > 0) return;
  if (!result.addresses.empty()) {
    result.status = ResolveStatus::kFound;
    result.reason.clear();
  } else if (both.denied) {
    result.status = ResolveStatus::kDenied;
  } else if (both.failed) {
    result.status = ResolveStatus::kFailed;
  } else {
    result.status = ResolveStatus::kNoSuchName;
    result.reason = fmt::format("{} has no address", lookup.query().host);
  }
  both.done(std::move(result));
}

}  // namespace

void Resolver::resolve(std::shared_ptr<Session> session, std::string host, policy::Actor actor,
                       Done done) const {
  auto both = std::make_shared<Both>();
  both->done = std::move(done);
  for (const RrType type : {RrType::kAaaa, RrType::kA}) {
    const TimePoint now = std::chrono::steady_clock::now();
    Query query;
    query.name = Name::from_host(host).value_or(Name());
    query.host = query.name.host().value_or(std::string());
    query.type = type;
    query.transport = QueryTransport::kProxy;
    query.actor = actor;
    query.started = now;
    auto lookup = std::make_shared<Lookup>(*engine_, session, std::move(query), now);
    const auto finish = [both](const Lookup& finished) {
      report_answer(finished);
      take(*both, finished);
    };
    const Step step = lookup->start();
    if (step == Step::kDone) {
      finish(*lookup);
    } else {
      runner_->run(std::move(lookup), step, finish);
    }
  }
}

asio::awaitable<Resolution> Resolver::resolve(std::shared_ptr<Session> session, std::string host,
                                              policy::Actor actor) const {
  auto start = [self = *this](auto handler, std::shared_ptr<Session> for_session, std::string name,
                              policy::Actor who) {
    // The handler can only be moved, and a callback must be copyable.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto back = [shared](Resolution found) {
      auto executor = asio::get_associated_executor(*shared);
      asio::post(executor, [shared, found = std::move(found)]() mutable {
        std::move (*shared)(std::move(found));
      });
    };
    asio::post(self.executor_, [self, back, for_session = std::move(for_session),
                                name = std::move(name), who = std::move(who)]() mutable {
      self.resolve(std::move(for_session), std::move(name), std::move(who), back);
    });
  };
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(Resolution)>(
      start, asio::use_awaitable, std::move(session), std::move(host), std::move(actor));
}

}  // namespace agentsh::dns
