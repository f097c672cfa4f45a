// A bidirectional stream of bytes: TCP, TLS over TCP, a Unix socket, or a script in a test. Flows
// are written against this interface only, so TLS is compiled once and never instantiated into
// protocol code.
//
// Reading and writing come as attempts that never wait plus one wait: the common case, bytes that
// are there and a socket that takes them, costs no coroutine frame and no trip through the event
// loop.
//
//   for (;;) {
//     IoResult got = stream.try_read(buffer);
//     if (got.status != IoStatus::kWouldBlock) break;
//     if (auto ready = co_await stream.wait(got.want); !ready) co_return ready.error();
//   }
//
// or, where speed does not matter, co_await read(stream, buffer) and write(stream, data) below.
//
// Threads: a stream belongs to the thread of its executor. Lifetime: the owner must not destroy a
// stream that a coroutine is waiting on; it calls close(), which ends the wait with
// operation_canceled.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <span>
#include <system_error>

namespace agentsh::net {

// What a stream waits for before it can go on. A TLS read may have to wait until the socket can be
// written.
enum class Want : std::uint8_t { kRead, kWrite };

enum class IoStatus : std::uint8_t {
  kOk,          // `bytes` > 0 were moved.
  kWouldBlock,  // Nothing was; wait for `want`.
  kEnd,         // Orderly end of the peer's bytes (FIN, or TLS close_notify). Reads only.
  kError,       // `error` says why. A TLS stream that ends without close_notify is an error for
                // which truncated() below is true.
};

struct IoResult {
  IoStatus status = IoStatus::kWouldBlock;
  Want want = Want::kRead;
  std::size_t bytes = 0;
  std::error_code error;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // An empty buffer gets kOk with 0 bytes, and so does writing no bytes.
  virtual IoResult try_read(std::span<std::uint8_t> buffer) = 0;
  // Gathers: several parts in one system call (or one TLS record). Moves a prefix of their
  // concatenation.
  virtual IoResult try_write(std::span<const Bytes> parts) = 0;
  virtual boost::asio::awaitable<Result<>> wait(Want want) = 0;

  // Orderly end of our bytes (FIN or close_notify); the other direction stays open. May be called
  // once.
  virtual boost::asio::awaitable<Result<>> shutdown_write() = 0;
  // Ends the stream now; waits end with operation_canceled. With `reset`, the peer sees RST where
  // the transport has it.
  virtual void close(bool reset = false) = 0;

  virtual boost::asio::any_io_executor executor() = 0;
  // The socket beneath, for splice(2), sockopts and SO_* queries; -1 where there is none.
  virtual int native_handle() const = 0;
};

// Reads at least one byte; 0 at the end.
boost::asio::awaitable<Result<std::size_t>> read(ByteStream& stream,
                                                 std::span<std::uint8_t> buffer);
// Writes all.
boost::asio::awaitable<Result<>> write(ByteStream& stream, Bytes data);

// Ends our bytes, then reads and throws away what the peer still sends, at most `limit` bytes, and
// closes. An answer that is sent before the request was read to its end would otherwise be lost:
// closing a socket with unread bytes makes the kernel send RST, which discards what the peer has
// not read yet. Set a deadline on the stream first.
boost::asio::awaitable<void> drain_and_close(ByteStream& stream, std::size_t limit);

// What a stream adds to the errors of the system.
enum class StreamErrc {
  kTruncated = 1,  // The transport ended without the protocol's own end (TLS close_notify).
};
std::error_code make_error_code(StreamErrc code);

// True for the end of a stream that may have been cut off by someone on the way.
bool truncated(const std::error_code& code);

// The error of a wait that close() or a cancellation ended.
Error canceled_error();

}  // namespace agentsh::net

template <>
struct std::is_error_code_enum<agentsh::net::StreamErrc> : std::true_type {};
