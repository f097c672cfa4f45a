// A connected stream socket, TCP or AF_UNIX, as a ByteStream.
//
// Sockets are adopted from a descriptor, because many of them are made elsewhere: listeners live in
// a session's network namespace, and Unix sockets arrive over other sockets. connect.h makes new
// ones.
//
// Bytes that were read only to find out what they are (a ClientHello, a request's first bytes) are
// put back with unread() and come again from the next try_read(), so whoever takes the stream over
// (TLS, a relay, an HTTP engine) sees it whole and need not know.
#pragma once

#include "base/unique_fd.h"
#include "proxy/net/byte_stream.h"
#include "proxy/net/readiness.h"

#include <memory>
#include <vector>

namespace agentsh::net {

class SocketStream final : public ByteStream {
 public:
  // Takes the socket over: makes it non-blocking and, for TCP, sets TCP_NODELAY. Fails when it is
  // not a stream socket or cannot be registered with the event loop (ENOSPC: epoll watches).
  static Result<std::unique_ptr<SocketStream>> adopt(boost::asio::any_io_executor executor,
                                                     UniqueFd socket);

  IoResult try_read(std::span<std::uint8_t> buffer) override;
  IoResult try_write(std::span<const Bytes> parts) override;
  boost::asio::awaitable<Result<>> wait(Want want) override;
  boost::asio::awaitable<Result<>> shutdown_write() override;
  void close(bool reset = false) override;
  boost::asio::any_io_executor executor() override { return executor_; }
  // What an attempt on it that moved nothing (EAGAIN) needs before the next one is told by
  // blocked(); otherwise the wait for it returns at once.
  int native_handle() const override { return fd_.get(); }
  void blocked(Want want) { watch_.blocked(want); }

  // Puts bytes back in front of what the socket holds.
  void unread(Bytes bytes);
  bool has_unread() const { return unread_at_ < unread_.size(); }

  // Gives the descriptor up, out of the event loop. Fails while bytes are put back.
  Result<UniqueFd> release();

 private:
  SocketStream(boost::asio::any_io_executor executor, UniqueFd fd, SocketWatch watch);
  IoResult take_unread(std::span<std::uint8_t> buffer);

  boost::asio::any_io_executor executor_;
  UniqueFd fd_;
  SocketWatch watch_;  // Goes before the descriptor does.
  std::vector<std::uint8_t> unread_;
  std::size_t unread_at_ = 0;
};

using TcpStream = SocketStream;
using UnixStream = SocketStream;

// Two connected Unix stream sockets, both on `executor`.
Result<std::pair<std::unique_ptr<UnixStream>, std::unique_ptr<UnixStream>>> stream_pair(
    boost::asio::any_io_executor executor);

}  // namespace agentsh::net
