#include "proxy/net/socket_stream.h"

#include "base/fd_passing.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
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

}  // namespace

SocketStream::SocketStream(asio::any_io_executor executor, int fd)
    : socket_(std::move(executor)), fd_(fd) {}

Result<std::unique_ptr<SocketStream>> SocketStream::adopt(asio::any_io_executor executor,
                                                          UniqueFd socket) {
  if (auto set = set_no_delay(socket.get()); !set) return std::unexpected(set.error());
  auto stream = std::unique_ptr<SocketStream>(new SocketStream(std::move(executor), socket.get()));
  boost::system::error_code error;
  stream->socket_.assign(socket.get(), error);
  if (error) return std::unexpected(errno_error(error.value(), "epoll_ctl", "a socket"));
  // From here on the descriptor is the stream's to close.
  static_cast<void>(socket.release());
  stream->socket_.non_blocking(true, error);
  if (error) return std::unexpected(errno_error(error.value(), "ioctl", "FIONBIO"));
  return stream;
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
  if (fd_ < 0) return failure(ECANCELED);
  if (buffer.empty()) return {.status = IoStatus::kOk};
  if (has_unread()) return take_unread(buffer);
  for (;;) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) return {.status = IoStatus::kOk, .bytes = static_cast<std::size_t>(got)};
    if (got == 0) return {.status = IoStatus::kEnd};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {.want = Want::kRead};
    if (errno != EINTR) return failure(errno);
  }
}

IoResult SocketStream::try_write(std::span<const Bytes> parts) {
  if (fd_ < 0) return failure(ECANCELED);
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
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {.status = IoStatus::kOk, .bytes = static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {.want = Want::kWrite};
    if (errno != EINTR) return failure(errno);
  }
}

asio::awaitable<Result<>> SocketStream::wait(Want want) {
  if (fd_ < 0) co_return std::unexpected(canceled_error());
  if (want == Want::kRead && has_unread()) co_return Result<>();
  const auto what = want == Want::kRead ? asio::posix::descriptor_base::wait_read
                                        : asio::posix::descriptor_base::wait_write;
  auto [error] = co_await socket_.async_wait(what, asio::as_tuple(asio::use_awaitable));
  if (error == asio::error::operation_aborted) co_return std::unexpected(canceled_error());
  if (error) co_return std::unexpected(errno_error(error.value(), "wait", "a socket"));
  co_return Result<>();
}

asio::awaitable<Result<>> SocketStream::shutdown_write() {
  if (fd_ < 0) co_return std::unexpected(canceled_error());
  if (::shutdown(fd_, SHUT_WR) != 0) co_return std::unexpected(errno_error("shutdown"));
  co_return Result<>();
}

void SocketStream::close(bool reset) {
  if (fd_ < 0) return;
  if (reset) {
    const linger now = {1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  fd_ = -1;
  unread_ = {};
  unread_at_ = 0;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void SocketStream::unread(Bytes bytes) {
  std::vector<std::uint8_t> joined(bytes.begin(), bytes.end());
  joined.insert(joined.end(), unread_.begin() + static_cast<std::ptrdiff_t>(unread_at_),
                unread_.end());
  unread_ = std::move(joined);
  unread_at_ = 0;
}

Result<UniqueFd> SocketStream::release() {
  if (fd_ < 0) return fail("the stream is closed");
  if (has_unread()) return fail("bytes of the stream are put back and would be lost");
  fd_ = -1;
  return UniqueFd(socket_.release());
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
