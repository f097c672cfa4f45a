#include "appliance/api/server.h"

#include "base/log.h"
#include "proxy/codec/http/error_page.h"
#include "proxy/codec/http/message_reader.h"
#include "proxy/codec/http/refusal.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/tls_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace agentsh::api {
namespace {

using namespace std::chrono_literals;

constexpr auto kShutdownGrace = 2s;
// Of what a client still sends after it was refused, so that it can read why.
constexpr std::size_t kDrained = 4 << 20;

std::string render(const Response& response, bool keep_alive) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: "
      "no-store\r\n{}\r\n{}",
      response.status, http::reason_phrase(response.status), response.content_type,
      response.body.size(), keep_alive ? "" : "Connection: close\r\n", response.body);
}

Caller peer_of(int socket) {
  Caller caller;
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return caller;
  caller.local = true;
  caller.uid = credentials.uid;
  caller.gid = credentials.gid;
  // 0 when the peer is in a PID namespace that is not ours or below it; sessions are below, and
  // refused by the authenticator.
  caller.pid = credentials.pid;
  caller.name = fmt::format("uid {}", credentials.uid);
  return caller;
}

bool somebody_answers(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return socket &&
         ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// Reads a request with its body. Empty: the peer is gone or was answered.
boost::asio::awaitable<std::optional<Request>> read_request(Connection& connection,
                                                            const ServerOptions& options,
                                                            bool& keep_alive) {
  http::RequestReader reader;
  http::HeadStep head;
  auto refuse = [](http::Refusal refusal) {
    const auto& info = http::describe(refusal);
    return http::render({.status = info.status, .code = info.code, .message = info.sentence});
  };
  for (;;) {
    head = reader.read_head(as_bytes(connection.buffer()));
    if (head.refusal != http::Refusal::kNone) {
      co_await connection.write(refuse(head.refusal));
      co_return std::nullopt;
    }
    if (head.size > 0) break;
    auto more = co_await connection.fill();
    if (!more || !*more) co_return std::nullopt;
  }
  Request request;
  request.method = reader.head().method();
  keep_alive = reader.head().keep_alive();
  request.api_key = reader.head().value_of(options.key_header);
  request.upgrade = reader.head().value_of("upgrade");
  std::size_t expected_fds = 0;
  const std::string_view count = reader.head().value_of("x-agentsh-descriptors");
  std::from_chars(count.data(), count.data() + count.size(), expected_fds);
  const bool target_ok = parse_target(reader.head().target(), request);
  connection.buffer().erase(0, head.size);

  for (;;) {
    const http::BodyStep step = reader.body().next(as_bytes(connection.buffer()));
    if (step.refusal != http::Refusal::kNone) {
      co_await connection.write(refuse(step.refusal));
      co_return std::nullopt;
    }
    request.body += as_text(step.data);
    connection.buffer().erase(0, step.consumed);
    if (request.body.size() <= options.max_body && reader.body().done()) break;
    if (request.body.size() > options.max_body) {
      co_await connection.write(
          render(Response::error(413, fmt::format("the body is larger than {} bytes "
                                                  "(server.http.max_request_size)",
                                                  options.max_body)),
                 false));
      co_await net::drain_and_close(connection.stream(), kDrained);
      co_return std::nullopt;
    }
    if (step.consumed > 0) continue;
    auto more = co_await connection.fill();
    if (!more || !*more) co_return std::nullopt;
  }
  request.fds = connection.take_fds();
  if (!target_ok || request.fds.size() != expected_fds) {
    co_await connection.write(
        render(Response::error(400, "malformed request target or descriptors"), false));
    co_return std::nullopt;
  }
  co_return request;
}

}  // namespace

Server::Server(boost::asio::any_io_executor executor, Router router, Authenticator authenticate,
               ServerOptions options)
    : executor_(executor),
      router_(std::move(router)),
      authenticate_(std::move(authenticate)),
      options_(std::move(options)),
      tasks_(executor) {}

Result<> Server::serve_unix(UniqueFd listener) {
  return serve(std::move(listener), Kind::kUnix);
}
Result<> Server::serve_tcp(UniqueFd listener) {
  return serve(std::move(listener), Kind::kTcp);
}
Result<> Server::serve_tls(UniqueFd listener) {
  auto context = net::ServerContext::create(net::TicketKeys::random());
  if (!context) return std::unexpected(context.error());
  tls_ = std::move(*context);
  return serve(std::move(listener), Kind::kTls);
}

Result<> Server::serve(UniqueFd fd, Kind kind) {
  auto listener = net::Listener::adopt(executor_, std::move(fd));
  if (!listener) return std::unexpected(listener.error());
  listeners_.emplace_back(std::move(*listener));
  tasks_.spawn("api accept", accept(listeners_.back(), kind));
  return {};
}

boost::asio::awaitable<void> Server::accept(std::shared_ptr<net::Listener> listener, Kind kind) {
  for (;;) {
    auto accepted = co_await listener->accept();
    if (!accepted) {
      if (accepted.error().code != std::errc::operation_canceled)
        log_error("api", "{}", accepted.error().what);
      co_return;
    }
    tasks_.spawn("api connection", converse(std::move(accepted->socket), kind));
  }
}

boost::asio::awaitable<void> Server::converse(UniqueFd socket, Kind kind) {
  Caller peer = kind == Kind::kUnix ? peer_of(socket.get()) : Caller{};
  if (kind != Kind::kUnix) peer.name = "tcp";
  auto stream = net::SocketStream::adopt(executor_, std::move(socket));
  if (!stream) co_return;
  std::optional<Connection> connection;
  if (kind != Kind::kTls) {
    connection.emplace(std::move(*stream), options_.write_timeout);
  } else {
    auto opened = co_await shake_hands(std::move(*stream));
    if (!opened) co_return;
    connection.emplace(std::move(opened), options_.write_timeout);
  }
  while (co_await answer_one(*connection, peer)) {
  }
}

// Null: the peer was answered or is gone.
boost::asio::awaitable<std::unique_ptr<net::ByteStream>> Server::shake_hands(
    std::unique_ptr<net::SocketStream> stream) {
  constexpr std::uint8_t kHandshakeRecord = 22;  // RFC 8446, section 5.1.
  std::array<std::uint8_t, 1> first{};
  {
    net::StreamDeadline deadline(*stream);
    deadline.expires_after(options_.read_timeout);
    auto got = co_await net::read(*stream, first);
    if (!got || *got == 0) co_return nullptr;
    if (first[0] != kHandshakeRecord) {
      const std::string answer = render(
          Response::error(400, "this port speaks TLS: ask it by https:// (server.tls)"), false);
      if (co_await net::write(*stream, as_bytes(answer)))
        co_await net::drain_and_close(*stream, kDrained);
      co_return nullptr;
    }
  }
  stream->unread(first);
  auto opened = co_await net::accept_tls(
      tls_, std::move(stream),
      {.leaf = certificate_, .any_server_name = true, .timeout = options_.read_timeout});
  if (!opened) {
    log_info("api", "TLS: {}", opened.error().what);
    co_return nullptr;
  }
  co_return std::move(*opened);
}

boost::asio::awaitable<bool> Server::answer_one(Connection& connection, Caller peer) {
  bool keep_alive = false;
  std::optional<Request> request;
  {
    net::StreamDeadline deadline(connection.stream());
    deadline.expires_after(options_.read_timeout);
    request = co_await read_request(connection, options_, keep_alive);
  }
  if (!request) co_return false;
  request->caller = peer;
  authenticate_(*request, request->caller);
  Exchange exchange{std::move(*request), connection};
  const Response response = co_await router_.route(exchange);
  if (response.handled) co_return false;
  auto written = co_await connection.write(render(response, keep_alive));
  co_return written.has_value() && keep_alive;
}

boost::asio::awaitable<void> Server::shutdown() {
  for (const auto& listener : listeners_) listener->close();
  co_await tasks_.shutdown(kShutdownGrace);
}

Result<UniqueFd> listen_on_unix_socket(const std::string& path, mode_t mode,
                                       std::optional<gid_t> group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(path + ": socket path longer than 107 bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  // Two daemons that start at once must not remove each other's socket.
  UniqueFd lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return std::unexpected(errno_error("open", path + ".lock"));
  if (::flock(lock.get(), LOCK_EX) != 0)
    return std::unexpected(errno_error("flock", path + ".lock"));
  if (somebody_answers(path)) {
    return fail(path + ": another agentsh server is listening there", std::errc::address_in_use);
  }
  ::unlink(path.c_str());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return std::unexpected(errno_error("socket"));
  const mode_t before = ::umask(0777 & ~mode);
  const int bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  ::umask(before);
  if (bound != 0) return std::unexpected(errno_error(bind_errno, "bind", path));
  if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return std::unexpected(errno_error("chown", path));
  }
  if (::listen(socket.get(), 512) != 0) return std::unexpected(errno_error("listen", path));
  return socket;
}

}  // namespace agentsh::api
