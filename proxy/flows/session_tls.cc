#include "proxy/flows/session_tls.h"

#include "proxy/net/tls_stream.h"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>

#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

TlsLeg leg_of(std::unique_ptr<net::TlsStream> stream) {
  const net::TlsInfo info = stream->info();
  TlsLeg leg;
  leg.version = info.version;
  leg.alpn = info.alpn;
  leg.subject = info.peer_subject;
  leg.issuer = info.peer_issuer;
  leg.end_point = stream->server_end_point();
  leg.stream = std::move(stream);
  return leg;
}

// Flows tell a server that is late from one that is wrong.
Error as_flow_error(Error error) {
  if (error.code == net::TlsErrc::kTimeout) error.code = std::make_error_code(std::errc::timed_out);
  return error;
}

}  // namespace

Result<TlsShared::Contexts> TlsShared::contexts(const asio::any_io_executor& executor) {
  const asio::execution_context& loop = asio::query(executor, asio::execution::context);
  auto known = by_loop_.lock();
  const auto found = known->find(&loop);
  if (found != known->end()) return found->second;
  auto server = net::ServerContext::create(tickets_);
  if (!server) return std::unexpected(server.error());
  auto client = net::ClientContext::create(trust_);
  if (!client) return std::unexpected(client.error());
  return known->emplace(&loop, Contexts{*server, *client}).first->second;
}

asio::awaitable<Result<TlsLeg>> SessionTls::accept(std::unique_ptr<net::ByteStream> client,
                                                   TlsAcceptRequest request) {
  auto contexts = shared_->contexts(client->executor());
  if (!contexts) co_return std::unexpected(contexts.error());
  auto leaf = shared_->leaves().get(request.leaf_name);
  if (!leaf) co_return std::unexpected(leaf.error());
  net::TlsServerOptions options;
  options.leaf = *leaf;
  options.server_name = std::move(request.server_name);
  options.alpn = std::move(request.alpn);
  options.any_server_name = request.any_server_name;
  options.scope = session_id_;
  options.timeout = request.timeout;
  auto stream = co_await net::accept_tls(contexts->server, std::move(client), std::move(options));
  if (!stream) co_return std::unexpected(as_flow_error(std::move(stream.error())));
  co_return leg_of(std::move(*stream));
}

asio::awaitable<Result<TlsLeg>> SessionTls::connect(std::unique_ptr<net::ByteStream> server,
                                                    TlsConnectRequest request) {
  auto contexts = shared_->contexts(server->executor());
  if (!contexts) co_return std::unexpected(contexts.error());
  net::TlsClientOptions options;
  options.host = std::move(request.host);
  options.port = request.port;
  options.alpn = std::move(request.alpn);
  options.certificate = std::move(request.certificate);
  options.timeout = request.timeout;
  auto stream = co_await net::connect_tls(contexts->client, std::move(server), std::move(options));
  if (!stream) co_return std::unexpected(as_flow_error(std::move(stream.error())));
  co_return leg_of(std::move(*stream));
}

}  // namespace agentsh::flows
