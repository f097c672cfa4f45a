#include "proxy/flows/http_flow.h"

#include "base/domain.h"
#include "proxy/codec/http/text.h"
#include "proxy/flows/collected_request.h"
#include "proxy/flows/connect_upstream.h"
#include "proxy/flows/flow_events.h"
#include "proxy/flows/http_exchange.h"
#include "proxy/flows/http_requests.h"
#include "proxy/flows/inspector_chain.h"
#include "proxy/flows/pages.h"

#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 Connection established\r\n\r\n";

class HttpFlow {
 public:
  HttpFlow(Connection& connection, HttpStart start);
  asio::awaitable<HttpEnd> run();

 private:
  asio::awaitable<bool> serve();
  asio::awaitable<bool> serve_collected(HttpInspector& inspector, HeadAction action);
  asio::awaitable<bool> open_tunnel();
  bool route_stands() const;
  asio::awaitable<bool> choose_route();
  asio::awaitable<bool> choose_service();
  asio::awaitable<Route> route_to_service(const ServiceTarget& target) const;
  asio::awaitable<std::optional<InspectorRefusal>> admit(HttpInspector& inspector);
  void address_service(HeadAction& action) const;
  asio::awaitable<void> route_own(std::string host);
  asio::awaitable<void> route_by_url(std::string host);
  bool route_is_current(bool by_url) const;
  bool misdirected() const;
  bool is_own_destination(const std::string& host, std::uint16_t port) const;
  std::unique_ptr<HttpInspector> make_inspector() const;
  asio::awaitable<bool> refuse(Trouble trouble);
  void record(const ExchangeResult& result) const;
  void park_upstream();
  static void park_idle(void* self) { static_cast<HttpFlow*>(self)->park_upstream(); }

  // The client connected to the proxy itself, and this is not inside a tunnel.
  bool is_proxy_client() const { return c_.explicit_proxy && !c_.in_tunnel; }
  const FlowOptions& options() const { return c_.options(); }
  const http::RequestHead& head() const { return requests_.reader().head(); }

  Connection& c_;
  const Endpoint connected_to_;
  RequestSource requests_;
  http::ResponseReader response_;
  RequestFacts facts_;
  ExchangeScratch scratch_;
  bool unread_ = false;  // The client may still be sending what was refused.

  // The decision for the requests so far, and what it is for.
  std::optional<Route> route_;
  std::string route_host_;
  std::string route_url_;  // Scheme and authority of absolute-form requests; else empty.
  std::shared_ptr<const void> route_policy_;
  std::optional<ServiceTarget> service_;  // Of the request, where c_.service_listener.

  UpstreamRequest upstream_request_;
  std::unique_ptr<Upstream> attached_;
  net::Deadline hold_;
};

HttpFlow::HttpFlow(Connection& connection, HttpStart start)
    : c_(connection),
      connected_to_(connection.destination),
      requests_(connection),
      route_(std::move(start.route)),
      route_host_(connection.sni),
      route_policy_(connection.context->policy->version()),
      attached_(std::move(start.upstream)),
      hold_(net::Deadlines::of(connection.client->executor()), &park_idle, this) {
  upstream_request_.tls_name = std::move(start.tls_name);
}

// An idle client does not keep a server connection for long.
void HttpFlow::park_upstream() {
  if (attached_ == nullptr) return;
  std::unique_ptr<Upstream> upstream = std::move(attached_);
  if (upstream->is_private() || !upstream->is_alive()) return;
  UpstreamPool::of(c_.client->executor())
      .give(std::move(upstream), {.per_key = options().pool_per_target,
                                  .total = options().pool_total,
                                  .idle = options().upstream_idle});
}

asio::awaitable<HttpEnd> HttpFlow::run() {
  bool tunnel = false;
  for (bool more = true; more && !tunnel;) {
    if (attached_ != nullptr) hold_.expires_after(options().upstream_hold);
    const RequestSource::Outcome outcome = co_await requests_.next();
    hold_.clear();
    if (outcome == RequestSource::Outcome::kEnded) break;
    ++c_.requests;
    if (outcome == RequestSource::Outcome::kRefused) {
      facts_ = {};
      facts_.start = std::chrono::steady_clock::now();
      co_await refuse(requests_.trouble());
      break;
    }
    facts_.assign(head());
    if (head().is_connect()) {
      more = tunnel = co_await open_tunnel();
    } else {
      more = co_await serve();
    }
  }
  park_upstream();
  if (tunnel) co_return HttpEnd::kTunnel;
  co_await requests_.close(unread_);
  co_return HttpEnd::kClosed;
}

// Answers false, for those who return what it does.
asio::awaitable<bool> HttpFlow::refuse(Trouble trouble) {
  ExchangeResult result;
  result.status = trouble.status;
  result.failure = trouble.code;
  result.detail = trouble.message;
  record(result);
  unread_ = facts_.method.empty() || !requests_.reader().body().done();
  http::ErrorPage page = trouble.page();
  page.head_request = facts_.head;
  co_await requests_.answer(page);
  co_return false;
}

// Inside TLS, and on a connection to one port, a request cannot be for another host or port.
bool HttpFlow::misdirected() const {
  const http::RequestHead& request = head();
  const bool absolute = request.form() == http::TargetForm::kAbsolute;
  const std::uint16_t port = request.authority().port;
  if (c_.tls) {
    if (absolute && !request.https_target()) return true;
    if (!c_.sni.empty() && !http::same_host(facts_.host, c_.sni)) return true;
  } else if (absolute || is_proxy_client()) {
    return false;
  }
  return port != 0 && port != connected_to_.port;
}

// A request in absolute form may still be for the server that the client connected to.
bool HttpFlow::is_own_destination(const std::string& host, std::uint16_t port) const {
  if (is_proxy_client() || head().https_target() || port != connected_to_.port) return false;
  if (const auto literal = IpAddress::parse(host)) return *literal == connected_to_.address;
  return c_.context->leases->is_leased(host, connected_to_.address);
}

bool HttpFlow::route_is_current(bool by_url) const {
  if (!route_ || route_policy_ == nullptr) return false;
  if (route_policy_ != c_.context->policy->version()) return false;
  if (by_url) {
    return route_url_.size() == facts_.authority.size() + 1 &&
           route_url_.front() == (head().https_target() ? 's' : 'p') &&
           route_url_.ends_with(facts_.authority);
  }
  return route_url_.empty() && http::same_host(facts_.host, route_host_);
}

asio::awaitable<void> HttpFlow::route_own(std::string host) {
  // An address literal claims no name, if it is the one that was connected to.
  const auto literal = IpAddress::parse(host);
  const bool unnamed = literal && *literal == connected_to_.address;
  c_.destination = connected_to_;
  if (!c_.tls) upstream_request_ = {};
  route_.emplace(co_await route_connection(c_, {.claimed = unnamed ? std::string_view() : host,
                                                .claimed_by = c_.sni.empty() ? "Host" : "SNI",
                                                .protocol = c_.tls ? "tls" : "http"}));
  if (!c_.tls) co_return;
  // Without SNI the server was chosen before it was known which host is meant.
  if (c_.sni.empty()) upstream_request_.tls_name = route_->name.empty() ? host : route_->name;
  if (!route_->rewritten_sni.empty()) upstream_request_.tls_name = route_->rewritten_sni;
}

asio::awaitable<void> HttpFlow::route_by_url(std::string host) {
  const bool https = head().https_target();
  const std::uint16_t port = head().authority().port_or(https ? 443 : 80);
  upstream_request_ = {};
  if (https) upstream_request_.tls_name = host;
  route_.emplace(co_await route_to_host(c_, std::move(host), port, "http"));
}

// The decision for the request before is this one's as well, and lets it through.
bool HttpFlow::route_stands() const {
  if (misdirected()) return false;
  const bool by_url = head().form() == http::TargetForm::kAbsolute && !c_.tls;
  if (is_proxy_client() && !by_url) return false;
  return route_is_current(by_url) && route_->permitted();
}

// Decides whether and where the request goes; false: it was refused.
asio::awaitable<bool> HttpFlow::choose_route() {
  if (misdirected()) {
    co_return co_await refuse(
        describe_misdirected(facts_.authority, c_.sni.empty() ? c_.name : c_.sni));
  }
  bool by_url = head().form() == http::TargetForm::kAbsolute && !c_.tls;
  if (is_proxy_client() && !by_url) co_return co_await refuse(describe_not_for_proxy());
  if (!route_is_current(by_url)) {
    park_upstream();
    std::string host = canonical_host(facts_.host).value_or(facts_.host);
    const http::Authority& authority = head().authority();
    route_policy_ = c_.context->policy->version();
    route_host_ = host;
    route_url_.clear();
    if (by_url && !is_own_destination(host, authority.port_or(80))) {
      route_url_ = (head().https_target() ? "s" : "p") + facts_.authority;
      co_await route_by_url(std::move(host));
    } else {
      co_await route_own(std::move(host));
    }
  }
  if (route_->permitted()) co_return true;
  co_return co_await refuse(describe_denial(*route_, facts_.host));
}

asio::awaitable<Route> HttpFlow::route_to_service(const ServiceTarget& target) const {
  // The policy's author named the host: that it is declared is its permission.
  Route route(policy::Verdict::allow("http-service:" + target.service));
  route.name = target.host;
  std::vector<IpAddress> addresses;
  if (const auto literal = IpAddress::parse(target.host)) {
    addresses.push_back(*literal);
  } else if (auto found = co_await c_.context->resolver->look_up(target.host)) {
    addresses = std::move(*found);
  }
  for (const IpAddress& address : addresses) {
    route.targets.push_back(
        {.endpoint = {address, target.port}, .unix_path = {}, .name = target.host});
  }
  if (addresses.empty()) {
    route.unresolved = true;
    route.verdict = policy::Verdict::deny(kUnresolvedRule, "the look-up failed");
  }
  co_return route;
}

// What a request under /svc/ is for; false: it was refused.
asio::awaitable<bool> HttpFlow::choose_service() {
  service_ = head().form() == http::TargetForm::kOrigin && c_.context->services != nullptr
                 ? c_.context->services->find(head().path())
                 : std::nullopt;
  if (!service_) {
    route_.reset();
    co_return co_await refuse(describe_unknown_service(c_.context->services.get()));
  }
  facts_.host = service_->host;
  facts_.authority = service_->host;
  facts_.path = service_->path;
  const bool same = route_ && route_->permitted() && route_host_ == service_->host &&
                    route_policy_ != nullptr && route_policy_ == c_.context->policy->version();
  if (!same) {
    park_upstream();
    route_policy_ = c_.context->policy->version();
    route_host_ = service_->host;
    route_.emplace(co_await route_to_service(*service_));
    upstream_request_ = {};
    upstream_request_.tls_name = service_->host;
  }
  if (!route_->permitted()) co_return co_await refuse(describe_denial(*route_, facts_.host));
  c_.destination = route_->targets.front().endpoint;
  c_.name = service_->host;
  co_return true;
}

// The head as the service's host expects it.
void HttpFlow::address_service(HeadAction& action) const {
  if (!service_) return;
  if (action.edits.target.empty()) action.edits.target = service_->path;
  const bool six = service_->host.find(':') != std::string::npos;
  std::string authority = six ? "[" + service_->host + "]" : service_->host;
  if (service_->port != 443) authority += ":" + std::to_string(service_->port);
  action.edits.set.emplace_back("Host", std::move(authority));
}

// What has to be decided, and waited for, before the request goes on.
asio::awaitable<std::optional<InspectorRefusal>> HttpFlow::admit(HttpInspector& inspector) {
  while (auto question = inspector.question()) {
    question->event.source = "proxy";
    question->event.command_id = c_.actor.command_id;
    question->event.pid = c_.actor.pid;
    question->event.program = c_.actor.program;
    question->event.remote = c_.destination.to_string();
    question->request.session_id = c_.context->policy->session_id();
    question->request.command_id = c_.actor.command_id;
    const policy::Verdict verdict = co_await settle(
        c_, std::move(question->verdict), std::move(question->request), std::move(question->event));
    if (!verdict.permitted()) co_return inspector.refusal_for(verdict);
  }
  if (inspector.must_prepare()) co_return co_await inspector.prepare(c_.client->executor());
  co_return std::nullopt;
}

std::unique_ptr<HttpInspector> HttpFlow::make_inspector() const {
  if (c_.context->inspectors == nullptr) return nullptr;
  if (service_) {
    return c_.context->inspectors->inspect(c_.actor, {.method = facts_.method,
                                                      .scheme = "https",
                                                      .host = service_->host,
                                                      .port = service_->port,
                                                      .path = service_->path,
                                                      .via_service = service_->service});
  }
  const bool https = c_.tls || head().https_target();
  return c_.context->inspectors->inspect(c_.actor, {.method = facts_.method,
                                                    .scheme = https ? "https" : "http",
                                                    .host = route_host_,
                                                    .port = c_.destination.port,
                                                    .path = facts_.path});
}

// One request; true: the connection may carry another.
asio::awaitable<bool> HttpFlow::serve() {
  if (c_.service_listener) {
    if (!co_await choose_service()) co_return false;
  } else if (!route_stands() && !co_await choose_route()) {
    co_return false;
  }
  const std::unique_ptr<HttpInspector> inspector = make_inspector();
  HeadAction action;
  if (inspector != nullptr) {
    if (auto refusal = co_await admit(*inspector)) {
      co_return co_await refuse(describe_inspector_refusal(*refusal));
    }
    action = inspector->on_request_head(head());
    if (action.refusal) co_return co_await refuse(describe_inspector_refusal(*action.refusal));
  }
  address_service(action);
  if (action.collect_at_most > 0) co_return co_await serve_collected(*inspector, action);
  HttpExchange exchange({.connection = c_,
                         .reader = requests_.reader(),
                         .response = response_,
                         .client_deadline = requests_.deadline(),
                         .facts = facts_,
                         .scratch = scratch_,
                         .attached = attached_,
                         .inspector = inspector.get(),
                         .request_action = action},
                        requests_.head_size());
  const ExchangeResult result = co_await exchange.run(*route_, upstream_request_);
  record(result);
  unread_ = result.unread;
  co_return result.keep_client;
}

// The same for a request whose head depends on its content.
asio::awaitable<bool> HttpFlow::serve_collected(HttpInspector& inspector, HeadAction action) {
  CollectedRequest request(c_, requests_);
  if (auto trouble = co_await request.read(inspector, action.body, action.collect_at_most)) {
    co_return co_await refuse(std::move(*trouble));
  }
  if (!request.complete()) co_return false;
  CollectedEnd end =
      co_await inspector.on_request_collected(request.content(), c_.client->executor());
  if (end.refusal) co_return co_await refuse(describe_inspector_refusal(*end.refusal));
  add_edits(action.edits, std::move(end.edits));
  HttpExchange exchange({.connection = c_,
                         .reader = request.reader(),
                         .response = response_,
                         .client_deadline = requests_.deadline(),
                         .facts = facts_,
                         .scratch = scratch_,
                         .attached = attached_,
                         .inspector = &inspector,
                         .request_action = action,
                         .collected = &request.content()},
                        0);
  const ExchangeResult result = co_await exchange.run(*route_, upstream_request_);
  record(result);
  unread_ = result.unread;
  co_return result.keep_client;
}

// CONNECT: true when the client was told that the tunnel is open.
asio::awaitable<bool> HttpFlow::open_tunnel() {
  if (c_.service_listener) {
    co_return co_await refuse(describe_unknown_service(c_.context->services.get()));
  }
  if (c_.tls || c_.in_tunnel) co_return co_await refuse(describe_nested_tunnel());
  std::string host = canonical_host(facts_.host).value_or(facts_.host);
  route_.emplace(co_await route_to_host(c_, std::move(host), facts_.port, "connect"));
  if (!route_->permitted()) co_return co_await refuse(describe_denial(*route_, facts_.host));
  // Connected now, so that a server which is not there is told as proxies tell it. A redirect is
  // followed when it is known what the tunnel carries.
  if (route_->verdict.redirect() == nullptr) {
    Result<Connected> connected = co_await connect_any(c_, route_->targets, ServerUse::kBytes);
    if (!connected) {
      const UpstreamAttempt attempt{.error = std::move(connected.error())};
      co_return co_await refuse(describe_unreachable(attempt, facts_.host));
    }
    c_.destination = connected->target.endpoint;
    c_.preconnected = std::move(connected->server.stream);
  }
  ExchangeResult result;
  result.status = 200;
  record(result);
  c_.start.consume(requests_.head_size());
  const Result<> told =
      co_await write_all(*c_.client, as_bytes(kTunnelOpen), {}, c_.bytes_received);
  c_.in_tunnel = told.has_value();
  co_return c_.in_tunnel;
}

void HttpFlow::record(const ExchangeResult& result) const {
  audit::Event event = connection_event(c_, "net_http_request", facts_.host);
  event.operation = facts_.method;
  event.fields.reserve(11);
  // What follows '?' often holds secrets.
  const std::size_t query = std::min(facts_.path.find('?'), facts_.path.size());
  event.field("method", facts_.method)
      .field("scheme", std::string(c_.tls || service_ ? "https" : "http"))
      .field("host", facts_.authority)
      .field("path", facts_.path.substr(0, query))
      .field("status", static_cast<std::int64_t>(result.status))
      .field("bytes_sent", static_cast<std::int64_t>(result.request_bytes))
      .field("bytes_received", static_cast<std::int64_t>(result.response_bytes))
      .field("duration_ms", milliseconds_since(facts_.start));
  if (query < facts_.path.size()) event.field("has_query", true);
  if (!result.failure.empty()) {
    event.field("failure", result.failure).field("detail", result.detail);
  }
  if (route_) {
    c_.context->policy->record(std::move(event), route_->verdict);
  } else {
    c_.context->policy->record(std::move(event));
  }
}

}  // namespace

asio::awaitable<HttpEnd> run_http(Connection& connection, HttpStart start) {
  HttpFlow flow(connection, std::move(start));
  co_return co_await flow.run();
}

asio::awaitable<void> answer_first_request(Connection& connection, http::ErrorPage page) {
  RequestSource requests(connection);
  const RequestSource::Outcome outcome = co_await requests.next();
  if (outcome != RequestSource::Outcome::kEnded) {
    ++connection.requests;
    page.head_request =
        outcome == RequestSource::Outcome::kHead && requests.reader().head().is_head();
    co_await requests.answer(page);
  }
  co_await requests.close(true);
}

}  // namespace agentsh::flows
