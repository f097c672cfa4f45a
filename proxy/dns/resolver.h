// Names for the proxy itself: where a client gives a host and not an address (CONNECT, a request in
// absolute form). The same policy, cache and events as for a question of the session's own, and the
// addresses become its leases. Names that the operator gave (a redirect's target, an upstream
// proxy) have look_up(): nobody's policy, no lease, no event.
//
//   Resolution found = co_await resolver.resolve(session, "example.com", actor);
//   if (found.status != ResolveStatus::kFound) refuse(found.reason);
//
// The addresses have passed the rebinding guard as answers do; whoever connects checks the one it
// takes again. "localhost" gives loopback addresses, which for the proxy would be the daemon's own.
//
// Threads: resolve() may be called from any coroutine; the work is done on the service's thread and
// the caller goes on on its own executor.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "proxy/dns/lookup_runner.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::dns {

enum class ResolveStatus {
  kFound,
  kDenied,      // By policy; `verdict` says by which rule.
  kNoSuchName,  // Neither family has an address.
  kFailed,      // No upstream gave an answer.
};

struct Resolution {
  ResolveStatus status = ResolveStatus::kFailed;
  std::vector<IpAddress> addresses;  // IPv6 first.
  policy::Verdict verdict = policy::Verdict::deny("dns-undecided", {});
  std::string reason;  // A sentence; empty when found.
};

class Resolver {
 public:
  using Done = std::function<void(Resolution)>;

  Resolver(boost::asio::any_io_executor executor, std::shared_ptr<Engine> engine,
           std::shared_ptr<LookupRunner> runner);

  // A and AAAA of `host` (canonical), asked at the same time.
  boost::asio::awaitable<Resolution> resolve(std::shared_ptr<Session> session, std::string host,
                                             policy::Actor actor) const;
  // Addresses of a host that the operator named, special ones too. Fails with host_unreachable
  // where there are none.
  boost::asio::awaitable<Result<std::vector<IpAddress>>> look_up(std::string host) const;
  // resolve() with a callback, which runs on the service's executor. Called on it.
  void resolve(std::shared_ptr<Session> session, std::string host, policy::Actor actor,
               Done done) const;

 private:
  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<Engine> engine_;
  const std::shared_ptr<LookupRunner> runner_;
  const std::shared_ptr<Session> operator_session_;  // Allows everything, tells nobody.
};

}  // namespace agentsh::dns
