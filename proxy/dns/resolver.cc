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

class OperatorPolicy : public DnsPolicy {
 public:
  Judgement judge(const policy::DnsFacts&) const override {
    return {policy::Verdict::allow("operator"), true};
  }
  std::optional<NameRedirect> redirect(std::string_view) const override { return {}; }
  bool allows_special_address(std::string_view, const IpAddress&) const override { return true; }
  void settle(policy::Verdict verdict, const policy::Actor&, std::string_view,
              std::function<void(policy::Verdict)> done) const override {
    done(std::move(verdict));
  }
};

class SilentObserver : public QueryObserver {
 public:
  void answered(const QueryReport&) override {}
  void malformed(const MalformedReport&) override {}
};

std::shared_ptr<Session> make_operator_session() {
  SessionOptions options;
  options.id = "operator";
  options.policy = std::make_shared<OperatorPolicy>();
  options.observer = std::make_shared<SilentObserver>();
  options.leases.max_entries = 1024;
  return std::make_shared<Session>(std::move(options));
}

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

Resolver::Resolver(asio::any_io_executor executor, std::shared_ptr<Engine> engine,
                   std::shared_ptr<LookupRunner> runner)
    : executor_(std::move(executor)),
      engine_(std::move(engine)),
      runner_(std::move(runner)),
      operator_session_(make_operator_session()) {}

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

asio::awaitable<Result<std::vector<IpAddress>>> Resolver::look_up(std::string host) const {
  Resolution found = co_await resolve(operator_session_, host, {});
  if (found.status == ResolveStatus::kFound) co_return std::move(found.addresses);
  co_return fail(fmt::format("resolve {}: {}", host, found.reason), std::errc::host_unreachable);
}

}  // namespace agentsh::dns
