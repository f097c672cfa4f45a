#include "proxy/flows/direct_connector.h"

#include "base/domain.h"
#include "proxy/codec/http/message_reader.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/connect.h"
#include "proxy/net/deadlines.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoStatus;

namespace {

// A server that vanished without a word is noticed after two minutes of silence, though streams
// have no time limit.
void keep_alive(int socket) {
  const int on = 1;
  const int idle = 60;
  const int interval = 15;
  const int probes = 4;
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

std::string host_port(const UpstreamTarget& target) {
  if (target.name.empty()) return target.endpoint.to_string();
  return fmt::format("{}:{}", target.name, target.endpoint.port);
}

// CONNECT through the proxy; the stream is the server's from then on.
asio::awaitable<Result<>> open_tunnel(net::SocketStream& stream, std::string to,
                                      std::string authorization) {
  std::string request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", to);
  if (!authorization.empty()) request += "Proxy-Authorization: " + authorization + "\r\n";
  request += "\r\n";
  std::uint64_t sent = 0;
  Result<> written = co_await write_all(stream, as_bytes(request), {}, sent);
  if (!written) co_return written;
  http::ResponseReader reader;
  // Like an answer to HEAD: after the head of a 2xx the tunnel begins.
  reader.expect({.head = true});
  Buffer in;
  while (true) {
    const http::HeadStep step = reader.read_head(in.data());
    if (step.refusal != http::Refusal::kNone) {
      co_return fail(fmt::format("the proxy's answer to CONNECT is malformed: {}",
                                 http::describe(step.refusal).sentence));
    }
    if (step.size > 0) {
      const int status = reader.head().status();
      if (status / 100 != 2) {
        co_return fail(fmt::format("the proxy answers CONNECT {} with {} {}", to, status,
                                   reader.head().reason()));
      }
      stream.unread(in.data().subspan(step.size));
      co_return Result<>();
    }
    const net::IoResult got = co_await read_more(stream, in, ReadFirst::kWait);
    if (got.status != IoStatus::kOk) co_return fail("the proxy ended the connection");
  }
}

}  // namespace

bool DirectConnector::goes_straight(const UpstreamTarget& target) const {
  if (!options_.proxy || !target.unix_path.empty()) return true;
  const CorporateProxy& proxy = *options_.proxy;
  const auto domain = [&](const std::string& suffix) {
    return !target.name.empty() && is_subdomain_of(target.name, suffix);
  };
  const auto network = [&](const Cidr& cidr) { return cidr.contains(target.endpoint.address); };
  return std::ranges::any_of(proxy.direct_domains, domain) ||
         std::ranges::any_of(proxy.direct_networks, network);
}

asio::awaitable<Result<ServerConnection>> DirectConnector::connect(asio::any_io_executor executor,
                                                                   UpstreamTarget target,
                                                                   ServerUse use) {
  if (!goes_straight(target)) {
    co_return co_await connect_by_proxy(std::move(executor), std::move(target), use);
  }
  ServerConnection connection;
  if (!target.unix_path.empty()) {
    auto stream = co_await net::connect_unix(executor, target.unix_path, options_.timeout);
    if (!stream) co_return std::unexpected(std::move(stream.error()));
    connection.stream = std::move(*stream);
    co_return connection;
  }
  auto stream = co_await net::connect(executor, target.endpoint, options_.timeout);
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  keep_alive((*stream)->native_handle());
  connection.stream = std::move(*stream);
  co_return connection;
}

asio::awaitable<Result<ServerConnection>> DirectConnector::connect_by_proxy(
    asio::any_io_executor executor, UpstreamTarget target, ServerUse use) {
  const std::optional<Endpoint> endpoint = options_.proxy->endpoint();
  if (!endpoint) co_return fail("the corporate proxy's name cannot be resolved");
  auto stream = co_await net::connect(executor, *endpoint, options_.timeout);
  if (!stream) {
    co_return std::unexpected(with_context(std::move(stream.error()), "the corporate proxy"));
  }
  keep_alive((*stream)->native_handle());
  ServerConnection connection;
  if (use == ServerUse::kPlainHttp) {
    connection.forward_proxy = true;
    connection.proxy_authorization = options_.proxy->authorization;
  } else {
    net::StreamDeadline deadline(**stream);
    deadline.expires_after(options_.timeout);
    Result<> open =
        co_await open_tunnel(**stream, host_port(target), options_.proxy->authorization);
    if (!open) co_return std::unexpected(std::move(open.error()));
  }
  connection.stream = std::move(*stream);
  co_return connection;
}

}  // namespace agentsh::flows
