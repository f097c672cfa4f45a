#include "proxy/flows/route.h"

#include "base/domain.h"
#include "proxy/flows/connection_judge.h"
#include "proxy/flows/flow_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kLoopbackRule = "loopback-target";
constexpr std::string_view kRedirectRule = "redirect-target-unknown";

policy::ApprovalRequest approval_for(const Connection& connection, const policy::Verdict& verdict,
                                     std::string_view name, std::string_view protocol) {
  policy::ApprovalRequest request;
  request.session_id = connection.context->policy->session_id();
  request.command_id = connection.actor.command_id;
  request.kind = "network";
  request.target = name.empty() ? connection.destination.to_string()
                                : fmt::format("{}:{}", name, connection.destination.port);
  request.rule = verdict.rule();
  request.message = verdict.message();
  request.fields = {{"address", connection.destination.to_string()},
                    {"protocol", std::string(protocol)},
                    {"program", connection.actor.program}};
  return request;
}

// The endpoints behind "host:port" of a redirect.
asio::awaitable<Result<std::vector<UpstreamTarget>>> redirect_targets(
    const Connection& connection, std::shared_ptr<const policy::Redirect> redirect) {
  if (redirect->unix_socket) {
    std::vector<UpstreamTarget> one;
    one.push_back({.endpoint = {}, .unix_path = redirect->target, .name = {}});
    co_return one;
  }
  const std::optional<HostPort> parts = split_host_port(redirect->target, 0);
  if (!parts || parts->port == 0) {
    co_return fail(fmt::format("the redirect's target {} is not host:port", redirect->target));
  }
  std::vector<UpstreamTarget> targets;
  if (const auto address = IpAddress::parse(parts->host)) {
    targets.push_back({.endpoint = {*address, parts->port}, .unix_path = {}, .name = {}});
    co_return targets;
  }
  auto found = co_await connection.context->resolver->look_up(parts->host);
  if (!found) co_return std::unexpected(found.error());
  for (const IpAddress& address : *found) {
    targets.push_back({.endpoint = {address, parts->port}, .unix_path = {}, .name = parts->host});
  }
  co_return targets;
}

UpstreamTarget own_target(const Connection& connection, const std::string& name) {
  return {.endpoint = connection.destination, .unix_path = {}, .name = name};
}

// Puts a redirect's targets before (or in the place of) the route's own.
asio::awaitable<void> follow_redirect(const Connection& connection, Route& route) {
  const std::shared_ptr<const policy::Redirect> redirect = route.verdict.redirect();
  if (redirect == nullptr) co_return;
  auto targets = co_await redirect_targets(connection, redirect);
  const bool closed = redirect->on_failure == policy::RedirectFailure::kFailClosed;
  if (!targets || targets->empty()) {
    if (!closed) co_return;
    const std::string why = targets ? "it has no address" : targets.error().what;
    route.targets.clear();
    route.verdict = policy::Verdict::deny(
        kRedirectRule,
        fmt::format("The redirect of rule {} leads nowhere: {}", route.verdict.rule(), why));
    co_return;
  }
  if (redirect->rewrite_sni) route.rewritten_sni = *redirect->rewrite_sni;
  if (closed) route.targets.clear();
  route.targets.insert(route.targets.begin(), targets->begin(), targets->end());
}

asio::awaitable<policy::Verdict> decide(Connection& connection, policy::Verdict verdict,
                                        std::string_view name, std::string_view protocol) {
  audit::Event event = connect_event(connection, name, protocol);
  if (verdict.redirect() != nullptr) event.field("redirect_to", verdict.redirect()->target);
  policy::ApprovalRequest request;
  if (verdict.needs_approval()) request = approval_for(connection, verdict, name, protocol);
  co_return co_await settle(connection, std::move(verdict), std::move(request), std::move(event));
}

// Loopback of the proxy is not loopback of the session.
bool is_foreign_loopback(const Connection& connection, const Endpoint& endpoint) {
  const AddressClass kind = classify(endpoint.address);
  if (kind != AddressClass::kLoopback && kind != AddressClass::kUnspecified) return false;
  return std::ranges::count(connection.options().host_ports, endpoint.port) == 0;
}

ConnectionJudgement judge_target(const Connection& connection, const Endpoint& endpoint,
                                 std::string_view name) {
  if (is_foreign_loopback(connection, endpoint)) {
    return {policy::Verdict::deny(
                kLoopbackRule,
                fmt::format("{} through the proxy would be the proxy's own host; connect to it "
                            "directly, or name the port with --host-port",
                            endpoint.to_string())),
            std::string(name)};
  }
  return judge_connection(*connection.context->policy, *connection.context->leases,
                          {.destination = endpoint, .claimed = name, .claimed_by = "CONNECT"});
}

// Judges all addresses of a host; the first that may be used decides, the others that need no more
// than it are its alternatives.
asio::awaitable<Route> route_to_addresses(Connection& connection, std::vector<IpAddress> addresses,
                                          std::string name, std::uint16_t port,
                                          std::string_view protocol) {
  std::optional<ConnectionJudgement> chosen;
  std::vector<UpstreamTarget> targets;
  for (const IpAddress& address : addresses) {
    const Endpoint endpoint{address, port};
    ConnectionJudgement one = judge_target(connection, endpoint, name);
    const bool usable = one.verdict.permitted() || one.verdict.needs_approval();
    if (usable && targets.empty()) chosen.reset();
    if (!chosen) {
      chosen = std::move(one);
      connection.destination = endpoint;
      if (usable) targets.push_back({endpoint, {}, name});
    } else if (usable && one.verdict.rule() == chosen->verdict.rule()) {
      targets.push_back({endpoint, {}, name});
    }
  }
  Route route(chosen ? std::move(chosen->verdict)
                     : policy::Verdict::deny(kNameMismatchRule, "the name has no address"));
  route.name = chosen ? chosen->name : name;
  route.verdict = co_await decide(connection, std::move(route.verdict), route.name, protocol);
  if (!route.verdict.permitted()) co_return route;
  connection.name = route.name;
  route.lease = connection.context->leases->hold(route.name, connection.destination.address);
  route.targets = std::move(targets);
  co_await follow_redirect(connection, route);
  co_return route;
}

void record_unresolved(const Connection& connection, const std::string& host, std::uint16_t port,
                       std::string_view protocol, const Route& route) {
  audit::Event event = connection_event(connection, "net_connect", host);
  event.operation = "connect";
  event.remote = fmt::format("{}:{}", host, port);
  event.field("protocol", std::string(protocol)).field("port", static_cast<std::int64_t>(port));
  connection.context->policy->record(std::move(event), route.verdict);
}

}  // namespace

asio::awaitable<Route> route_connection(Connection& connection, RouteQuestion question) {
  ConnectionJudgement judgement =
      judge_connection(*connection.context->policy, *connection.context->leases,
                       {.destination = connection.destination,
                        .claimed = question.claimed,
                        .claimed_by = question.claimed_by});
  Route route(std::move(judgement.verdict));
  route.name = std::move(judgement.name);
  route.verdict =
      co_await decide(connection, std::move(route.verdict), route.name, question.protocol);
  if (!route.verdict.permitted()) co_return route;
  connection.name = route.name;
  if (judgement.leased) {
    route.lease = connection.context->leases->hold(route.name, connection.destination.address);
  }
  route.targets.push_back(own_target(connection, route.name));
  co_await follow_redirect(connection, route);
  co_return route;
}

asio::awaitable<Route> route_to_host(Connection& connection, std::string host, std::uint16_t port,
                                     std::string_view protocol) {
  if (const auto address = IpAddress::parse(host)) {
    std::vector<IpAddress> one = {*address};
    co_return co_await route_to_addresses(connection, std::move(one), {}, port, protocol);
  }
  Resolution found = co_await connection.context->resolver->resolve(host, connection.actor);
  if (found.status == Resolution::Status::kFound) {
    co_return co_await route_to_addresses(connection, std::move(found.addresses), std::move(host),
                                          port, protocol);
  }
  const bool denied = found.status == Resolution::Status::kDenied;
  Route route(denied ? std::move(found.verdict)
                     : policy::Verdict::deny(kUnresolvedRule, found.reason));
  route.name = host;
  route.unresolved = !denied;
  record_unresolved(connection, host, port, protocol, route);
  co_return route;
}

}  // namespace agentsh::flows
