#include "proxy/flows/connect_upstream.h"

#include "proxy/flows/flow_events.h"

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

std::unique_ptr<net::ByteStream> take_preconnected(Connection& connection,
                                                   const UpstreamTarget& first) {
  if (connection.preconnected == nullptr || !first.unix_path.empty()) return nullptr;
  if (first.endpoint != connection.destination) return nullptr;
  return std::move(connection.preconnected);
}

std::unique_ptr<Upstream> take_pooled(const Connection& connection,
                                      const std::vector<UpstreamTarget>& targets,
                                      const UpstreamRequest& request) {
  UpstreamPool& pool = UpstreamPool::of(connection.client->executor());
  if (request.fresh || pool.size() == 0) return nullptr;
  const std::string& session = connection.context->policy->session_id();
  for (const UpstreamTarget& target : targets) {
    auto found = pool.take(upstream_key(session, target, request.tls_name));
    if (found != nullptr) return found;
  }
  return nullptr;
}

asio::awaitable<Result<TlsLeg>> open_tls(Connection& connection,
                                         std::unique_ptr<net::ByteStream> stream,
                                         TlsConnectRequest request) {
  Result<TlsLeg> leg =
      co_await connection.context->tls->connect(std::move(stream), std::move(request));
  if (leg) connection.context->policy->record(intercept_event(connection, *leg));
  co_return leg;
}

}  // namespace

asio::awaitable<Result<Connected>> connect_any(Connection& connection,
                                               std::vector<UpstreamTarget> targets, ServerUse use) {
  Error last = make_error("there is no address to connect to");
  for (UpstreamTarget& target : targets) {
    if (auto ready = take_preconnected(connection, target)) {
      co_return Connected{{.stream = std::move(ready)}, std::move(target)};
    }
    Result<ServerConnection> server =
        co_await connection.context->connector->connect(connection.client->executor(), target, use);
    if (server) co_return Connected{std::move(*server), std::move(target)};
    last = std::move(server.error());
  }
  co_return std::unexpected(std::move(last));
}

asio::awaitable<UpstreamAttempt> connect_upstream(Connection& connection,
                                                  std::vector<UpstreamTarget> targets,
                                                  UpstreamRequest request) {
  UpstreamAttempt attempt;
  attempt.upstream = take_pooled(connection, targets, request);
  if (attempt.upstream != nullptr) co_return attempt;

  const ServerUse use = request.tls_name.empty() ? ServerUse::kPlainHttp : ServerUse::kBytes;
  Result<Connected> connected = co_await connect_any(connection, std::move(targets), use);
  if (!connected) {
    attempt.error = std::move(connected.error());
    co_return attempt;
  }
  std::string key =
      upstream_key(connection.context->policy->session_id(), connected->target, request.tls_name);
  if (!request.tls_name.empty()) {
    Result<TlsLeg> leg = co_await open_tls(connection, std::move(connected->server.stream),
                                           {.host = std::move(request.tls_name),
                                            .port = connected->target.endpoint.port,
                                            .timeout = connection.options().connect});
    if (!leg) {
      attempt.tls_failed = true;
      attempt.error = std::move(leg.error());
      co_return attempt;
    }
    connected->server.stream = std::move(leg->stream);
  }
  attempt.upstream = std::make_unique<Upstream>(std::move(connected->server), std::move(key));
  co_return attempt;
}

}  // namespace agentsh::flows
