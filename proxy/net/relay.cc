#include "proxy/net/relay.h"

#include "proxy/net/deadlines.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/splice_pipe.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <utility>
#include <vector>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

// What one attempt to read gets at most. One buffer per thread: its bytes are written, or copied
// aside, before the coroutine waits.
constexpr std::size_t kChunk = 64 << 10;

std::span<std::uint8_t> scratch() {
  thread_local std::array<std::uint8_t, kChunk> buffer;
  return buffer;
}

// What both directions share. Its deadline points at it: it does not move.
struct Shared {
  Shared(ByteStream& one, ByteStream& other, const RelayLimits& given)
      : a(one), b(other), limits(given), idle(Deadlines::of(one.executor()), &close_both, this) {}

  static void close_both(void* self) { static_cast<Shared*>(self)->close(true); }

  ByteStream& a;
  ByteStream& b;
  RelayLimits limits;
  Deadline idle;
  int open_directions = 2;

  void touch() {
    if (idle.expired()) return;
    const bool half = open_directions < 2 && limits.half_closed.count() > 0;
    const auto time = half ? limits.half_closed : limits.idle;
    if (time.count() > 0) {
      idle.expires_after(time);
    } else {
      idle.clear();
    }
  }
  void close(bool reset) {
    a.close(reset);
    b.close(reset);
  }
};

struct Direction {
  ByteStream& from;
  ByteStream& to;
  std::uint64_t& moved;
};

// The source as a plain socket when both ends are; then its bytes may be spliced, but not past
// those that were put back.
const SocketStream* plain_source(const Direction& way) {
  const auto* from = dynamic_cast<SocketStream*>(&way.from);
  return dynamic_cast<SocketStream*>(&way.to) != nullptr ? from : nullptr;
}

Error stream_error(const char* verb, const std::error_code& code) {
  return Error{code, std::string(verb) + ": " + code.message()};
}

// Writes `data`, which lives in the scratch buffer: what the stream does not take at once moves
// into `rest`.
asio::awaitable<Result<>> write_on(Shared& shared, Direction way, Bytes data) {
  std::vector<std::uint8_t> rest;
  while (!data.empty()) {
    const IoResult sent = way.to.try_write({&data, 1});
    if (sent.status == IoStatus::kOk) {
      data = data.subspan(sent.bytes);
      way.moved += sent.bytes;
      shared.touch();
      continue;
    }
    if (sent.status != IoStatus::kWouldBlock) {
      co_return std::unexpected(stream_error("write", sent.error));
    }
    if (rest.empty()) {
      rest.assign(data.begin(), data.end());
      data = rest;
    }
    Result<> ready = co_await way.to.wait(sent.want);
    if (!ready) co_return ready;
  }
  co_return Result<>();
}

// Copies until the end of `from` (true) or, with a `plain` source, until it is worth to splice
// (false).
asio::awaitable<Result<bool>> copy(Shared& shared, Direction way, const SocketStream* plain) {
  for (;;) {
    if (plain != nullptr && way.moved >= shared.limits.splice_after && !plain->has_unread()) {
      co_return false;
    }
    const IoResult got = way.from.try_read(scratch());
    if (got.status == IoStatus::kEnd) co_return true;
    if (got.status == IoStatus::kError) {
      co_return std::unexpected(stream_error("read", got.error));
    }
    Result<> done;
    if (got.status == IoStatus::kWouldBlock) {
      done = co_await way.from.wait(got.want);
    } else {
      done = co_await write_on(shared, way, scratch().first(got.bytes));
    }
    if (!done) co_return std::unexpected(done.error());
  }
}

// Only what plain_source() found to be one.
SocketStream& to_socket(ByteStream& stream) {
  return static_cast<SocketStream&>(stream);
}

bool would_block(const Error& error) {
  return error.code == std::errc::resource_unavailable_try_again;
}

// Empties the pipe into `to`.
asio::awaitable<Result<>> drain_pipe(Shared& shared, Direction way, SplicePipe& pipe) {
  while (pipe.held() > 0) {
    Result<std::size_t> out = pipe.drain(way.to.native_handle());
    if (out) {
      way.moved += *out;
      shared.touch();
      continue;
    }
    if (!would_block(out.error())) co_return std::unexpected(out.error());
    to_socket(way.to).blocked(Want::kWrite);
    Result<> ready = co_await way.to.wait(Want::kWrite);
    if (!ready) co_return ready;
  }
  co_return Result<>();
}

// Splices until the end of `from` (true), or until there is no pipe to be had or the sockets
// cannot be spliced (false).
asio::awaitable<Result<bool>> splice_through(Shared& shared, Direction way) {
  SplicePipe pipe;
  for (;;) {
    if (!pipe) {
      Result<SplicePipe> borrowed = SplicePipe::borrow();
      if (!borrowed) co_return false;
      pipe = std::move(*borrowed);
    }
    Result<std::size_t> in = pipe.fill(way.from.native_handle());
    if (in && *in == 0) co_return true;
    Result<> done;
    if (in) {
      done = co_await drain_pipe(shared, way, pipe);
    } else if (would_block(in.error())) {
      pipe = SplicePipe();
      to_socket(way.from).blocked(Want::kRead);
      done = co_await way.from.wait(Want::kRead);
    } else if (in.error().code == std::errc::invalid_argument) {
      co_return false;
    } else {
      done = std::unexpected(in.error());
    }
    if (!done) co_return std::unexpected(done.error());
  }
}

asio::awaitable<Result<>> move_all(Shared& shared, Direction way) {
  Result<bool> ended = co_await copy(shared, way, plain_source(way));
  if (ended && !*ended) ended = co_await splice_through(shared, way);
  if (ended && !*ended) ended = co_await copy(shared, way, nullptr);
  if (!ended) co_return std::unexpected(ended.error());
  co_return co_await way.to.shutdown_write();
}

// One direction to its end. Its failure closes both streams, which ends the other direction.
asio::awaitable<Result<>> pump(Shared& shared, Direction way) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  Result<> done = co_await move_all(shared, way);
  --shared.open_directions;
  shared.touch();
  if (!done) shared.close(true);
  co_return done;
}

}  // namespace

asio::awaitable<RelayEnd> relay(ByteStream& a, ByteStream& b, RelayLimits limits,
                                RelayCounters& counters) {
  using asio::experimental::awaitable_operators::operator&&;
  Shared shared(a, b, limits);
  shared.touch();
  auto [there, back] = co_await (pump(shared, Direction{a, b, counters.a_to_b}) &&
                                 pump(shared, Direction{b, a, counters.b_to_a}));
  shared.close(false);
  if (shared.idle.expired()) co_return RelayEnd{.reason = RelayEnd::Reason::kIdle};
  if (there && back) co_return RelayEnd{};
  // Whichever failed first closed the streams; the other one was only canceled.
  const bool first = !there && there.error().code != std::errc::operation_canceled;
  co_return RelayEnd{RelayEnd::Reason::kFailed, first || back ? there.error() : back.error()};
}

}  // namespace agentsh::net
