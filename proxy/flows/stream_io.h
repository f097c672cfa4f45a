// Reading and writing as flows do it: without waiting where the stream allows, without holding a
// buffer while waiting.
#pragma once

#include "proxy/flows/buffer.h"
#include "proxy/net/byte_stream.h"

#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <chrono>

namespace agentsh::flows {

enum class ReadFirst : std::uint8_t { kTry, kWait };

// Reads at least one byte into `buffer`; kOk, kEnd or kError, never kWouldBlock. A buffer that is
// full is an error (no_buffer_space). kWait: nothing is expected to be there yet, which saves a
// system call; bytes that a stream holds itself end its wait at once.
boost::asio::awaitable<net::IoResult> read_more(net::ByteStream& stream, Buffer& buffer,
                                                ReadFirst first = ReadFirst::kTry);

// Waits for something to read until `stop` is emitted. True when there is something (an end or an
// error counts); false when stopped or closed.
boost::asio::awaitable<bool> readable_unless(net::ByteStream& stream,
                                             boost::asio::cancellation_signal& stop);
// The same with a time.
boost::asio::awaitable<bool> readable_within(net::ByteStream& stream,
                                             std::chrono::milliseconds time);

// Two pieces that are written one after the other, with as few system calls as possible.
//
//   Outgoing out(head, body);
//   if (out.push(stream) == IoStatus::kWouldBlock) co_await out.finish(stream);
class Outgoing {
 public:
  explicit Outgoing(Bytes first, Bytes second = {}) : parts_{first, second} {}

  // Writes what the stream takes at once. kOk: all is written.
  net::IoStatus push(net::ByteStream& stream);
  boost::asio::awaitable<net::IoStatus> finish(net::ByteStream& stream);

  const std::error_code& error() const { return error_; }
  std::size_t written() const { return written_; }

 private:
  std::array<Bytes, 2> parts_;
  std::size_t written_ = 0;
  std::error_code error_;
  net::Want want_ = net::Want::kWrite;
};

// push() and finish() in one. The number of bytes that were written is added to `count`.
boost::asio::awaitable<Result<>> write_all(net::ByteStream& stream, Bytes first, Bytes second,
                                           std::uint64_t& count);

// Has the peer of this socket ended or broken the connection? Looks without reading. With
// `ended_is_gone` false, an orderly end of its bytes does not count: it may still read.
bool peer_is_gone(int socket, bool ended_is_gone);

}  // namespace agentsh::flows
