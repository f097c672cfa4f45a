#include "proxy/flows/tls_flow.h"

#include "proxy/codec/tls/client_hello.h"
#include "proxy/flows/connect_upstream.h"
#include "proxy/flows/flow_events.h"
#include "proxy/flows/http_flow.h"
#include "proxy/flows/pages.h"
#include "proxy/flows/raw_flow.h"
#include "proxy/flows/sniff.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/socket_stream.h"

#include <array>
#include <optional>
#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;

namespace {

constexpr std::string_view kBadHelloRule = "malformed-client-hello";
constexpr std::string_view kEchRule = "encrypted-hello-in-passthrough";

// A fatal alert in the clear (RFC 8446 §6): decode_error.
constexpr std::array<std::uint8_t, 7> kDecodeError = {0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x32};

class TlsFlow {
 public:
  explicit TlsFlow(Connection& connection) : c_(connection) {}
  asio::awaitable<void> run();

 private:
  asio::awaitable<Result<tls::ClientHello>> read_hello();
  asio::awaitable<void> refuse_hello(Error why);
  asio::awaitable<void> refuse(Trouble trouble);
  asio::awaitable<void> pass_through(const Route& route, bool hidden_name);
  asio::awaitable<void> intercept(Route route);
  asio::awaitable<bool> open_client();
  asio::awaitable<void> serve_inside(HttpStart start);
  std::string leaf_name() const;
  bool must_open(std::string_view host) const {
    return c_.context->inspectors != nullptr && c_.context->inspectors->opens_tls(host);
  }

  Connection& c_;
};

// Leaves what was read in connection.start.
asio::awaitable<Result<tls::ClientHello>> TlsFlow::read_hello() {
  net::StreamDeadline deadline(*c_.client);
  deadline.expires_after(c_.options().hello);
  tls::ClientHelloParser parser;
  parser.feed(c_.start.data());
  while (parser.state() == tls::ClientHelloParser::State::kNeedMore) {
    const std::size_t before = c_.start.size();
    const IoResult got = co_await read_more(*c_.client, c_.start);
    if (got.status != IoStatus::kOk) {
      co_return fail(deadline.expired() ? "the ClientHello did not come in time"
                                        : "the connection ended inside the ClientHello");
    }
    c_.bytes_sent += got.bytes;
    parser.feed(c_.start.data().subspan(before));
  }
  if (parser.state() == tls::ClientHelloParser::State::kRefused) {
    co_return std::unexpected(parser.refusal());
  }
  co_return parser.hello();
}

asio::awaitable<void> TlsFlow::refuse_hello(Error why) {
  audit::Event event = connect_event(c_, {}, "tls");
  c_.context->policy->record(std::move(event), policy::Verdict::deny(kBadHelloRule, why.what));
  static_cast<void>(co_await write_all(*c_.client, kDecodeError, {}, c_.bytes_received));
  net::StreamDeadline deadline(*c_.client);
  deadline.expires_after(c_.options().hello);
  co_await net::drain_and_close(*c_.client, 64 << 10);
}

// The name that the client will look for in our certificate.
std::string TlsFlow::leaf_name() const {
  if (!c_.sni.empty()) return c_.sni;
  return c_.name.empty() ? c_.destination.address.to_string() : c_.name;
}

// The client's handshake. TLS reads its first bytes again from the socket.
asio::awaitable<bool> TlsFlow::open_client() {
  auto* socket = dynamic_cast<net::SocketStream*>(c_.client.get());
  if (socket == nullptr) co_return false;
  socket->unread(c_.start.data());
  c_.start.consume(c_.start.size());
  c_.start.release_if_empty();
  Result<TlsLeg> leg = co_await c_.context->tls->accept(
      std::move(c_.client),
      {.leaf_name = leaf_name(), .server_name = c_.sni, .timeout = c_.options().hello});
  if (!leg) {
    c_.context->policy->record(intercept_failure_event(c_, "client", leg.error().what));
    co_return false;
  }
  c_.client = std::move(leg->stream);
  c_.tls = true;
  co_return true;
}

asio::awaitable<void> TlsFlow::refuse(Trouble trouble) {
  if (!co_await open_client()) co_return;
  co_await answer_first_request(c_, trouble.page());
}

asio::awaitable<void> TlsFlow::pass_through(const Route& route, bool hidden_name) {
  if (hidden_name) {
    // The name that was checked is only the cover of another one.
    const policy::Verdict verdict = policy::Verdict::deny(
        kEchRule, "the client hides the host name (ECH), so passing it through is not safe");
    c_.context->policy->record(connect_event(c_, c_.sni, "tls"), verdict);
    c_.client->close(true);
    co_return;
  }
  co_await relay_route(c_, route);
}

asio::awaitable<void> TlsFlow::intercept(Route route) {
  UpstreamRequest request;
  request.tls_name = route.rewritten_sni.empty() ? leaf_name() : route.rewritten_sni;
  UpstreamAttempt attempt = co_await connect_upstream(c_, route.targets, request);
  if (attempt.upstream == nullptr) {
    c_.context->policy->record(intercept_failure_event(c_, "server", attempt.error.what));
    co_await refuse(describe_unreachable(attempt, leaf_name()));
    co_return;
  }
  // Only now the client sees success.
  if (!co_await open_client()) co_return;
  HttpStart start;
  start.route = std::move(route);
  start.upstream = std::move(attempt.upstream);
  start.tls_name = std::move(request.tls_name);
  co_await serve_inside(std::move(start));
}

asio::awaitable<void> TlsFlow::serve_inside(HttpStart start) {
  const FirstBytes inside = co_await sniff_client(c_);
  switch (inside) {
    case FirstBytes::kClosed:
      co_return;
    case FirstBytes::kHttp:
      co_await run_http(c_, std::move(start));
      co_return;
    case FirstBytes::kTls:
    case FirstBytes::kPostgres:
    case FirstBytes::kRaw:
    case FirstBytes::kSilent:
      // Another protocol inside TLS (or one where the server speaks first): the host is allowed.
      if (refuse_unless_http(c_, c_.name.empty() ? c_.sni : c_.name)) {
        c_.client->close(true);
        co_return;
      }
      co_await relay_bytes(c_, start.upstream->stream(), start.upstream->in.data());
      co_return;
  }
}

asio::awaitable<void> TlsFlow::run() {
  Result<tls::ClientHello> hello = co_await read_hello();
  if (!hello) {
    co_await refuse_hello(std::move(hello.error()));
    co_return;
  }
  c_.sni = hello->server_name;
  Route route =
      co_await route_connection(c_, {.claimed = c_.sni, .claimed_by = "SNI", .protocol = "tls"});
  if (!route.permitted()) {
    co_await refuse(describe_denial(route, c_.sni));
  } else if (route.verdict.tls_passthrough() && !must_open(route.name)) {
    co_await pass_through(route, hello->encrypted_client_hello);
  } else {
    co_await intercept(std::move(route));
  }
}

}  // namespace

asio::awaitable<void> run_tls(Connection& connection) {
  TlsFlow flow(connection);
  co_await flow.run();
}

}  // namespace agentsh::flows
