// Where a connection or a request goes, once policy has agreed: decides, waits for approvals,
// records net_connect, follows redirects.
//
// Errors are verdicts: a Route whose verdict is not permitted has no targets.
#pragma once

#include "proxy/flows/connection.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::flows {

inline constexpr std::string_view kUnresolvedRule = "name-not-resolved";

struct Route {
  explicit Route(policy::Verdict decided) : verdict(std::move(decided)) {}

  policy::Verdict verdict;
  std::string name;                     // Under which it was judged; may be empty.
  std::vector<UpstreamTarget> targets;  // Tried in order.
  // Another name than the client's for the server's leg (connect_redirects, rewrite_sni).
  std::string rewritten_sni;
  std::shared_ptr<void> lease;  // Keeps the name's lease.
  bool unresolved = false;      // Not a denial: the host has no address.

  bool permitted() const { return verdict.permitted() && !targets.empty(); }
};

struct RouteQuestion {
  std::string_view claimed;     // Canonical; empty when the client named nobody.
  std::string_view claimed_by;  // "SNI", "Host", "CONNECT".
  std::string_view protocol;    // For the event.
};

// For the connection's own destination.
boost::asio::awaitable<Route> route_connection(Connection& connection, RouteQuestion question);

// For a host that a client of the proxy named: an address or a name to be resolved. On success the
// connection's destination is the address that was chosen.
boost::asio::awaitable<Route> route_to_host(Connection& connection, std::string host,
                                            std::uint16_t port, std::string_view protocol);

// Settles a verdict: returns at once unless it needs an approval; then waits, watching the client,
// and withdraws the request when it goes away. `approval_id` gets the id before it waits, for those
// who may withdraw it too.
boost::asio::awaitable<policy::Verdict> settle(Connection& connection, policy::Verdict verdict,
                                               policy::ApprovalRequest request, audit::Event event,
                                               std::string* approval_id = nullptr);

}  // namespace agentsh::flows
