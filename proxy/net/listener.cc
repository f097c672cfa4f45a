#include "proxy/net/listener.h"

#include "base/log.h"
#include "proxy/net/byte_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kStarvedPause{50};

bool out_of_resources(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

// Errors of the connection that was about to be accepted (accept(2), "Error handling"), not of the
// listener.
bool concerns_one_connection(int code) {
  switch (code) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
      return true;
    default:
      return false;
  }
}

}  // namespace

Listener::Listener(asio::any_io_executor executor, int fd)
    : socket_(std::move(executor)), fd_(fd) {}

Result<std::unique_ptr<Listener>> Listener::adopt(asio::any_io_executor executor, UniqueFd socket) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) {
    return std::unexpected(errno_error("getsockopt", "SO_ACCEPTCONN"));
  }
  if (listening == 0) return fail("the socket is not listening");
  auto listener = std::unique_ptr<Listener>(new Listener(std::move(executor), socket.get()));
  boost::system::error_code error;
  listener->socket_.assign(socket.get(), error);
  if (error) return std::unexpected(errno_error(error.value(), "epoll_ctl", "a listener"));
  static_cast<void>(socket.release());
  listener->socket_.non_blocking(true, error);
  if (error) return std::unexpected(errno_error(error.value(), "ioctl", "FIONBIO"));
  return listener;
}

asio::awaitable<Result<>> Listener::wait_for_descriptors(int errno_value) {
  if (!starved_) {
    log_error("net", "cannot accept connections ({}); they wait until descriptors are free",
              errno_error(errno_value, "accept4").what);
  }
  starved_ = true;
  asio::steady_timer pause(socket_.get_executor(), kStarvedPause);
  auto [error] = co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  if (error) co_return std::unexpected(canceled_error());
  co_return Result<>();
}

asio::awaitable<Result<Accepted>> Listener::accept() {
  while (fd_ >= 0) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    UniqueFd socket(::accept4(fd_, name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int code = errno;
    if (socket) {
      starved_ = false;
      co_return Accepted{std::move(socket), Endpoint::from_sockaddr(name, size)};
    }
    if (concerns_one_connection(code)) continue;
    if (out_of_resources(code)) {
      Result<> rested = co_await wait_for_descriptors(code);
      if (!rested) co_return std::unexpected(rested.error());
      continue;
    }
    if (code != EAGAIN && code != EWOULDBLOCK) {
      co_return std::unexpected(errno_error(code, "accept4"));
    }
    auto [error] = co_await socket_.async_wait(asio::posix::descriptor_base::wait_read,
                                               asio::as_tuple(asio::use_awaitable));
    if (error) break;
  }
  co_return std::unexpected(canceled_error());
}

void Listener::close() {
  fd_ = -1;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

Result<UniqueFd> listen_tcp(const Endpoint& endpoint, int backlog) {
  sockaddr_storage address{};
  const socklen_t size = endpoint.to_sockaddr(address);
  UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno_error("socket", endpoint.to_string()));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return std::unexpected(errno_error("bind", endpoint.to_string()));
  }
  if (::listen(fd.get(), backlog) != 0) {
    return std::unexpected(errno_error("listen", endpoint.to_string()));
  }
  return fd;
}

Result<Endpoint> local_endpoint(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  auto* name = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(socket, name, &size) != 0) return std::unexpected(errno_error("getsockname"));
  auto endpoint = Endpoint::from_sockaddr(name, size);
  if (!endpoint) return fail("the socket has no IP address");
  return *endpoint;
}

}  // namespace agentsh::net
