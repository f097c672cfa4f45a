// Which sockets of an event loop can be read or written: one edge-triggered epoll(7) set per loop,
// itself watched by the loop.
//
// Asio's own wait for readiness is a system call each time (it arms the socket anew). Here a socket
// is registered once, for everything; the kernel's edges set flags, and a wait finds its flag set
// or is resumed by the edge that sets it. So a wait costs no system call, and one turn of the loop
// takes the edges of many sockets with one.
//
// The price is a rule for those who use the descriptor: what came back without bytes to move must
// be told by blocked(), or wait() returns at once for ever.
//
// Threads: everything belongs to the loop's thread.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/net/byte_stream.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace agentsh::net {

class SocketWatch;

// The set of one loop, made on first use.
class Readiness final : public boost::asio::execution_context::service {
 public:
  using key_type = Readiness;
  inline static boost::asio::execution_context::id id;

  // The set of the loop that `executor` runs on.
  static Readiness& of(const boost::asio::any_io_executor& executor);

  explicit Readiness(boost::asio::execution_context& context);
  ~Readiness() override;

 private:
  friend SocketWatch;
  // Resumes the coroutine that waits; false: the wait was ended.
  using Handler =
      boost::asio::async_result<boost::asio::use_awaitable_t<>, void(bool)>::handler_type;

  // One socket's place. Places are used again: the generation tells a late edge of the socket
  // before from one of this socket.
  struct Place {
    std::uint32_t generation = 0;
    bool ended = false;           // The peer sends no more: reading never blocks again.
    std::array<bool, 2> ready{};  // By Want.
    std::array<std::optional<Handler>, 2> waiting;
  };

  void shutdown() override;
  Result<> open();
  Result<std::uint32_t> add(int fd);
  void remove(std::uint32_t index);
  void take_out(int fd);
  Place& at(std::uint32_t index) { return places_[index]; }
  // The loop watches the set while something waits in it: a loop without anything to wait for ends.
  void watch();
  void take_edges();
  void put_waiting(Place& place, Want want, Handler handler);
  Handler take_waiting(std::optional<Handler>& waiting);
  void on_edge(std::uint64_t key, std::uint32_t events);
  // The waits of a place end with false, from the loop: whoever ends them may be in the middle of
  // something.
  void end_waits(Place& place);
  void end_wait(std::optional<Handler>& waiting);
  void cancel_wait(std::uint32_t index, std::uint32_t generation, Want want);

  boost::asio::io_context& context_;
  std::optional<boost::asio::posix::stream_descriptor> set_;
  std::size_t waiting_ = 0;
  bool watching_ = false;
  std::deque<Place> places_;  // References stay valid as it grows.
  std::vector<std::uint32_t> free_;
};

// A socket in the set while it lives.
class SocketWatch {
 public:
  // Takes no ownership of `fd`; the watch goes before the descriptor is closed. Fails with ENOSPC
  // when the user's epoll watches are used up.
  static Result<SocketWatch> add(Readiness& readiness, int fd);

  SocketWatch() = default;
  SocketWatch(SocketWatch&& other) noexcept;
  SocketWatch& operator=(SocketWatch&& other) noexcept;
  ~SocketWatch() { reset(); }

  // Ends the waits; the descriptor is about to be closed.
  void reset();
  // The same for a descriptor that lives on, elsewhere.
  void release(int fd);

  // An attempt had nothing to read, or no room to write into.
  void blocked(Want want) { place().ready[slot(want)] = false; }
  // A read got less than it asked for: there was no more. Not where the end is still to be read.
  void read_short() { place().ready[slot(Want::kRead)] = place().ended; }

  bool ready(Want want) const { return place().ready[slot(want)]; }
  // Until ready(want). False when the wait was ended by reset() or a cancellation. One wait of a
  // kind at a time.
  boost::asio::awaitable<bool> wait(Want want);

 private:
  SocketWatch(Readiness& readiness, std::uint32_t index) : readiness_(&readiness), index_(index) {}
  static std::size_t slot(Want want) { return static_cast<std::size_t>(want); }
  Readiness::Place& place() const { return readiness_->at(index_); }

  Readiness* readiness_ = nullptr;
  std::uint32_t index_ = 0;
};

}  // namespace agentsh::net
