#include "proxy/flows/raw_flow.h"

#include "proxy/flows/child_task.h"
#include "proxy/flows/connect_upstream.h"
#include "proxy/flows/flow_events.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/relay.h"

#include <boost/asio/cancellation_signal.hpp>

namespace agentsh::flows {
namespace asio = boost::asio;
using namespace std::string_view_literals;

namespace {

void record_failure(const Connection& connection, std::string_view failure, const Error& error) {
  audit::Event event = connection_event(connection, "net_error", connection.name);
  event.operation = "connect";
  event.field("failure", std::string(failure)).field("detail", error.what);
  connection.context->policy->record(std::move(event));
}

// Listens to the server while another coroutine listens to the client.
struct ServerEar {
  bool heard = false;  // Maybe before anybody waits for the signal.
  asio::cancellation_signal signal;
};

asio::awaitable<void> listen(net::ByteStream& server, ServerEar& ear) {
  const Result<> ready = co_await server.wait(net::Want::kRead);
  ear.heard = ready.has_value();
  if (ready) ear.signal.emit(asio::cancellation_type::total);
}

// Waits for whoever speaks first; true: the client.
asio::awaitable<bool> client_speaks_first(net::ByteStream& client, net::ByteStream& server) {
  ServerEar ear;
  ChildTask listener;
  listener.start(client.executor(), listen(server, ear));
  const bool client_spoke = !ear.heard && co_await readable_unless(client, ear.signal);
  listener.cancel();
  co_await listener.join();
  co_return client_spoke;
}

}  // namespace

asio::awaitable<void> relay_bytes(Connection& connection, net::ByteStream& server,
                                  Bytes from_server) {
  std::uint64_t& received = connection.bytes_received;
  Result<> moved = co_await write_all(*connection.client, from_server, {}, received);
  std::uint64_t sent = 0;
  if (moved) moved = co_await write_all(server, connection.start.data(), {}, sent);
  if (!moved) {
    connection.client->close(true);
    server.close(true);
    co_return;
  }
  connection.start.consume(connection.start.size());
  connection.start.release_if_empty();
  net::RelayCounters counters;
  co_await net::relay(*connection.client, server,
                      {.half_closed = connection.options().raw_half_closed}, counters);
  connection.bytes_sent += counters.a_to_b;
  connection.bytes_received += counters.b_to_a;
}

asio::awaitable<void> relay_route(Connection& connection, const Route& route) {
  Result<Connected> connected = co_await connect_any(connection, route.targets, ServerUse::kBytes);
  if (!connected) {
    record_failure(connection, "upstream_unreachable", connected.error());
    connection.client->close(true);
    co_return;
  }
  co_await relay_bytes(connection, *connected->server.stream);
}

bool refuse_unless_http(const Connection& connection, std::string_view host) {
  const FlowContext& context = *connection.context;
  if (context.inspectors == nullptr || !context.inspectors->http_only(host)) return false;
  context.policy->record(connect_event(connection, host, "tcp"),
                         policy::Verdict::deny(kHttpOnlyRule,
                                               "requests to this host are looked into, so "
                                               "nothing but HTTP is spoken with it"));
  return true;
}

asio::awaitable<void> run_raw(Connection& connection) {
  const Route route =
      co_await route_connection(connection, {.claimed = {}, .claimed_by = {}, .protocol = "tcp"});
  if (!route.permitted() || refuse_unless_http(connection, route.name)) {
    connection.client->close(true);
    co_return;
  }
  co_await relay_route(connection, route);
}

namespace {

// ErrorResponse, FATAL.
constexpr std::string_view kUndeclared =
    "SFATAL\0VFATAL\0C28000\0"
    "Mthe policy permits databases only as db_services, and this server is none\0\0"sv;

// A request for encryption, of eight bytes, is at the front: SSLRequest or GSSENCRequest.
bool asks_for_encryption(Bytes start) {
  constexpr std::uint32_t kSsl = 80877103, kGss = 80877104;
  ByteReader reader(start);
  const bool eight = reader.u32() == 8;
  const std::uint32_t code = reader.u32();
  return reader.ok() && eight && (code == kSsl || code == kGss);
}

// Whoever asks for encryption first is told that there is none, so that the reason reaches the
// client after its StartupMessage.
asio::awaitable<bool> answer_encryption_requests(Connection& connection) {
  constexpr std::uint8_t kNo = 'N';
  while (asks_for_encryption(connection.start.data())) {
    connection.start.consume(8);
    if (!co_await write_all(*connection.client, {&kNo, 1}, {}, connection.bytes_received))
      co_return false;
    if (!connection.start.empty()) co_return true;
    const net::IoResult got = co_await read_more(*connection.client, connection.start);
    if (got.status != net::IoStatus::kOk) co_return false;
  }
  co_return true;
}

asio::awaitable<void> refuse_database(Connection& connection) {
  net::StreamDeadline deadline(*connection.client);
  deadline.expires_after(connection.options().hello);
  if (!co_await answer_encryption_requests(connection)) co_return;
  ByteWriter answer;
  answer.u8('E');
  answer.u32(static_cast<std::uint32_t>(4 + kUndeclared.size()));
  answer.text(kUndeclared);
  static_cast<void>(
      co_await write_all(*connection.client, answer.view(), {}, connection.bytes_received));
  co_await net::drain_and_close(*connection.client, 64 << 10);
}

}  // namespace

asio::awaitable<void> run_undeclared_database(Connection& connection) {
  const Route route = co_await route_connection(
      connection, {.claimed = {}, .claimed_by = {}, .protocol = "postgres"});
  if (!route.permitted() || refuse_unless_http(connection, route.name)) {
    connection.client->close(true);
    co_return;
  }
  DatabaseGuard* guard = connection.context->databases.get();
  if (guard != nullptr && !guard->permits_undeclared(connection)) {
    co_await refuse_database(connection);
    co_return;
  }
  co_await relay_route(connection, route);
}

asio::awaitable<bool> run_silent(Connection& connection) {
  const Route route =
      co_await route_connection(connection, {.claimed = {}, .claimed_by = {}, .protocol = "tcp"});
  if (!route.permitted()) {
    connection.client->close(true);
    co_return false;
  }
  Result<Connected> connected = co_await connect_any(connection, route.targets, ServerUse::kBytes);
  if (!connected) {
    record_failure(connection, "upstream_unreachable", connected.error());
    connection.client->close(true);
    co_return false;
  }
  net::ByteStream& server = *connected->server.stream;
  if (!co_await client_speaks_first(*connection.client, server)) {
    if (refuse_unless_http(connection, route.name)) {
      connection.client->close(true);
      co_return false;
    }
    co_await relay_bytes(connection, server);
    co_return false;
  }
  if (connected->target.unix_path.empty() && connected->target.endpoint == connection.destination) {
    connection.preconnected = std::move(connected->server.stream);
  }
  co_return true;
}

}  // namespace agentsh::flows
