#include "proxy/flows/flow.h"

#include "proxy/flows/connection_judge.h"
#include "proxy/flows/flow_events.h"
#include "proxy/flows/http_flow.h"
#include "proxy/flows/raw_flow.h"
#include "proxy/flows/sniff.h"
#include "proxy/flows/tls_flow.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

// What is done once it is known what a client speaks. True: it goes on with something else, which
// has to be found out (the inside of a tunnel).
using Handler = asio::awaitable<bool> (*)(Connection& connection);

asio::awaitable<bool> handle_tls(Connection& connection) {
  co_await run_tls(connection);
  co_return false;
}

asio::awaitable<bool> handle_http(Connection& connection) {
  co_return co_await run_http(connection, {}) == HttpEnd::kTunnel;
}

asio::awaitable<bool> handle_raw(Connection& connection) {
  co_await run_raw(connection);
  co_return false;
}

asio::awaitable<bool> handle_postgres(Connection& connection) {
  co_await run_undeclared_database(connection);
  co_return false;
}

asio::awaitable<bool> handle_silent(Connection& connection) {
  co_return co_await run_silent(connection);
}

struct Entry {
  FirstBytes first;
  Handler handle;
};

constexpr std::array<Entry, 5> kHandlers = {{
    {FirstBytes::kTls, handle_tls},
    {FirstBytes::kHttp, handle_http},
    {FirstBytes::kPostgres, handle_postgres},
    {FirstBytes::kRaw, handle_raw},
    {FirstBytes::kSilent, handle_silent},
}};

// A client that left before it was known what it speaks: the trail says all the same what would
// have become of it.
void record_unfinished(const Connection& connection) {
  if (connection.explicit_proxy || connection.service_listener || connection.in_tunnel ||
      connection.requests > 0)
    return;
  const FlowContext& context = *connection.context;
  const ConnectionJudgement judged =
      judge_connection(*context.policy, *context.leases,
                       {.destination = connection.destination, .claimed = {}, .claimed_by = {}});
  if (judged.verdict.permitted() || judged.verdict.needs_approval()) return;
  context.policy->record(connect_event(connection, judged.name, "tcp"), judged.verdict);
}

// The guard's, if the destination is a database service of the policy.
std::optional<std::string> database_of(const Connection& connection) {
  const FlowContext& context = *connection.context;
  if (context.databases == nullptr || connection.service_listener) return std::nullopt;
  if (connection.explicit_proxy && !connection.in_tunnel) return std::nullopt;
  return context.databases->service_at(connection.destination, *context.leases);
}

asio::awaitable<bool> dispatch(Connection& connection) {
  if (auto service = database_of(connection)) {
    co_await connection.context->databases->serve(connection, *std::move(service));
    co_return false;
  }
  const FirstBytes first = co_await sniff_client(connection);
  // There is nothing but HTTP, and a client that is silent is waited for there.
  if (connection.service_listener && first != FirstBytes::kClosed) {
    co_await run_http(connection, {});
    co_return false;
  }
  if (first == FirstBytes::kClosed) record_unfinished(connection);
  for (const Entry& entry : kHandlers) {
    if (entry.first == first) co_return co_await entry.handle(connection);
  }
  co_return false;  // kClosed.
}

}  // namespace

asio::awaitable<void> run_flow(std::shared_ptr<const FlowContext> context, FlowInput input) {
  Connection connection;
  connection.context = std::move(context);
  connection.client = std::move(input.client);
  connection.destination = input.destination;
  connection.actor = std::move(input.actor);
  connection.explicit_proxy = input.explicit_proxy;
  connection.service_listener = input.service_listener;
  while (co_await dispatch(connection)) {
  }
  connection.context->policy->record(close_event(connection));
  if (connection.client != nullptr) connection.client->close();
}

}  // namespace agentsh::flows
