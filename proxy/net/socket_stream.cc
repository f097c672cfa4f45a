#include "proxy/net/socket_stream.h"

#include "base/fd_passing.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxParts = 16;

IoResult failure(int errno_value) {
  return {.status = IoStatus::kError, .error = {errno_value, std::system_category()}};
}

Result<> set_no_delay(int fd) {
  int type = 0;
  int domain = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return std::unexpected(errno_error("getsockopt", "SO_TYPE"));
  }
  if (type != SOCK_STREAM) return fail("the descriptor is not a stream socket");
  size = sizeof(domain);
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) {
    return std::unexpected(errno_error("getsockopt", "SO_DOMAIN"));
  }
  if (domain != AF_INET && domain != AF_INET6) return {};
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    return std::unexpected(errno_error("setsockopt", "TCP_NODELAY"));
  }
  return {};
}

Result<> set_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return std::unexpected(errno_error("fcntl", "F_GETFL"));
  if ((flags & O_NONBLOCK) != 0) return {};
  if (::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return std::unexpected(errno_error("fcntl", "F_SETFL"));
  }
  return {};
}

}  // namespace

SocketStream::SocketStream(asio::any_io_executor executor, UniqueFd fd, SocketWatch watch)
    : executor_(std::move(executor)), fd_(std::move(fd)), watch_(std::move(watch)) {}

Result<std::unique_ptr<SocketStream>> SocketStream::adopt(asio::any_io_executor executor,
                                                          UniqueFd socket) {
  if (auto set = set_no_delay(socket.get()); !set) return std::unexpected(set.error());
  if (auto set = set_non_blocking(socket.get()); !set) return std::unexpected(set.error());
  auto watch = SocketWatch::add(Readiness::of(executor), socket.get());
  if (!watch) return std::unexpected(watch.error());
  return std::unique_ptr<SocketStream>(
      new SocketStream(std::move(executor), std::move(socket), std::move(*watch)));
}

IoResult SocketStream::take_unread(std::span<std::uint8_t> buffer) {
  const std::size_t count = std::min(buffer.size(), unread_.size() - unread_at_);
  std::copy_n(unread_.begin() + static_cast<std::ptrdiff_t>(unread_at_), count, buffer.begin());
  unread_at_ += count;
  if (unread_at_ == unread_.size()) {
    unread_ = {};
    unread_at_ = 0;
  }
  return {.status = IoStatus::kOk, .bytes = count};
}

IoResult SocketStream::try_read(std::span<std::uint8_t> buffer) {
  if (!fd_) return failure(ECANCELED);
  if (buffer.empty()) return {.status = IoStatus::kOk};
  if (has_unread()) return take_unread(buffer);
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      const auto bytes = static_cast<std::size_t>(got);
      if (bytes < buffer.size()) watch_.read_short();
      return {.status = IoStatus::kOk, .bytes = bytes};
    }
    if (got == 0) return {.status = IoStatus::kEnd};
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      watch_.blocked(Want::kRead);
      return {.want = Want::kRead};
    }
    if (errno != EINTR) return failure(errno);
  }
}

IoResult SocketStream::try_write(std::span<const Bytes> parts) {
  if (!fd_) return failure(ECANCELED);
  std::array<iovec, kMaxParts> vectors;
  std::size_t used = 0;
  for (const Bytes& part : parts) {
    if (part.empty()) continue;
    if (used == vectors.size()) break;
    vectors[used++] = {const_cast<std::uint8_t*>(part.data()), part.size()};
  }
  if (used == 0) return {.status = IoStatus::kOk};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = used;
  for (;;) {
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) return {.status = IoStatus::kOk, .bytes = static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      watch_.blocked(Want::kWrite);
      return {.want = Want::kWrite};
    }
    if (errno != EINTR) return failure(errno);
  }
}

asio::awaitable<Result<>> SocketStream::wait(Want want) {
  if (!fd_) co_return std::unexpected(canceled_error());
  if (want == Want::kRead && has_unread()) co_return Result<>();
  if (watch_.ready(want)) co_return Result<>();
  if (!co_await watch_.wait(want)) co_return std::unexpected(canceled_error());
  co_return Result<>();
}

asio::awaitable<Result<>> SocketStream::shutdown_write() {
  if (!fd_) co_return std::unexpected(canceled_error());
  if (::shutdown(fd_.get(), SHUT_WR) != 0) co_return std::unexpected(errno_error("shutdown"));
  co_return Result<>();
}

void SocketStream::close(bool reset) {
  if (!fd_) return;
  if (reset) {
    const linger now = {1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  watch_.reset();
  fd_.reset();
  unread_ = {};
  unread_at_ = 0;
}

void SocketStream::unread(Bytes bytes) {
  std::vector<std::uint8_t> joined(bytes.begin(), bytes.end());
  joined.insert(joined.end(), unread_.begin() + static_cast<std::ptrdiff_t>(unread_at_),
                unread_.end());
  unread_ = std::move(joined);
  unread_at_ = 0;
}

Result<UniqueFd> SocketStream::release() {
  if (!fd_) return fail("the stream is closed");
  if (has_unread()) return fail("bytes of the stream are put back and would be lost");
  watch_.release(fd_.get());
  return std::move(fd_);
}

Result<std::pair<std::unique_ptr<UnixStream>, std::unique_ptr<UnixStream>>> stream_pair(
    asio::any_io_executor executor) {
  auto sockets = unix_socket_pair(SOCK_STREAM);
  if (!sockets) return std::unexpected(sockets.error());
  auto first = UnixStream::adopt(executor, std::move(sockets->first));
  if (!first) return std::unexpected(first.error());
  auto second = UnixStream::adopt(executor, std::move(sockets->second));
  if (!second) return std::unexpected(second.error());
  return std::pair(std::move(*first), std::move(*second));
}

}  // namespace agentsh::net
