#include "proxy/postgres/upstream_leg.h"

#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"
#include "sqlguard/codec/startup.h"

#include <fmt/format.h>

#include <array>

namespace agentsh::pg {
namespace asio = boost::asio;

namespace {

sql::LoginFailure unreachable(std::string what, std::string hint = {}) {
  return {.sqlstate = std::string(sql::kConnectionFailure),
          .message = std::move(what),
          .detail = {},
          .hint = std::move(hint)};
}

// The server's one-byte answer to SSLRequest; nothing may come behind it in clear text.
asio::awaitable<Result<char>> ask_for_tls(net::ByteStream& server) {
  ByteWriter request;
  write(sql::SslRequest{}, request);
  std::uint64_t sent = 0;
  if (auto written = co_await flows::write_all(server, request.view(), {}, sent); !written)
    co_return std::unexpected(written.error());
  std::array<std::uint8_t, 1> answer{};
  auto got = co_await net::read(server, answer);
  if (!got) co_return std::unexpected(got.error());
  if (*got == 0) co_return fail("the server closed the connection");
  co_return static_cast<char>(answer[0]);
}

}  // namespace

asio::awaitable<sql::LoginResult<ServerLeg>> connect_server(flows::Connection& connection,
                                                            UpstreamAddress address) {
  auto connected =
      co_await flows::connect_any(connection, address.targets, flows::ServerUse::kBytes);
  if (!connected) {
    co_return std::unexpected(
        unreachable(fmt::format("the database server {}:{} cannot be reached: {}", address.host,
                                address.port, connected.error().what)));
  }
  ServerLeg leg{.stream = std::move(connected->server.stream),
                .target = std::move(connected->target)};
  if (!address.tls) co_return leg;
  Result<char> answer = fail("unasked");
  {
    net::StreamDeadline deadline(*leg.stream);
    deadline.expires_after(connection.options().connect);
    answer = co_await ask_for_tls(*leg.stream);
  }
  if (!answer || *answer != 'S') {
    co_return std::unexpected(unreachable(
        fmt::format("the database server {}:{} does not offer TLS", address.host, address.port),
        "Set ssl = on at the server, or tls_mode: terminate_plaintext_upstream for the service."));
  }
  auto opened = co_await connection.context->tls->connect(std::move(leg.stream),
                                                          {.host = address.host,
                                                           .port = address.port,
                                                           .timeout = connection.options().connect,
                                                           .alpn = {"postgresql"},
                                                           .certificate = address.certificate});
  if (!opened) {
    co_return std::unexpected(
        unreachable(fmt::format("TLS with the database server: {}", opened.error().what)));
  }
  leg.stream = std::move(opened->stream);
  leg.tls = true;
  leg.subject = std::move(opened->subject);
  leg.end_point = std::move(opened->end_point);
  co_return leg;
}

}  // namespace agentsh::pg
