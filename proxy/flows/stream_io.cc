#include "proxy/flows/stream_io.h"

#include "proxy/net/deadlines.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <poll.h>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;

asio::awaitable<IoResult> read_more(net::ByteStream& stream, Buffer& buffer, ReadFirst first) {
  net::Want want = net::Want::kRead;
  bool wait = first == ReadFirst::kWait;
  for (;;) {
    if (wait) {
      buffer.release_if_empty();
      Result<> ready = co_await stream.wait(want);
      if (!ready) co_return IoResult{.status = IoStatus::kError, .error = ready.error().code};
    }
    const std::span<std::uint8_t> room = buffer.room();
    if (room.empty()) {
      co_return IoResult{.status = IoStatus::kError,
                         .error = std::make_error_code(std::errc::no_buffer_space)};
    }
    const IoResult got = stream.try_read(room);
    if (got.status == IoStatus::kOk) buffer.added(got.bytes);
    if (got.status != IoStatus::kWouldBlock) co_return got;
    want = got.want;
    wait = true;
  }
}

namespace {

asio::awaitable<Result<>> wait_until_canceled(net::ByteStream& stream) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await stream.wait(net::Want::kRead);
}

void emit_total(void* signal) {
  static_cast<asio::cancellation_signal*>(signal)->emit(asio::cancellation_type::total);
}

}  // namespace

asio::awaitable<bool> readable_unless(net::ByteStream& stream, asio::cancellation_signal& stop) {
  const Result<> ready =
      co_await asio::co_spawn(stream.executor(), wait_until_canceled(stream),
                              asio::bind_cancellation_slot(stop.slot(), asio::use_awaitable));
  co_return ready || ready.error().code != std::errc::operation_canceled;
}

asio::awaitable<bool> readable_within(net::ByteStream& stream, std::chrono::milliseconds time) {
  asio::cancellation_signal stop;
  net::Deadline deadline(net::Deadlines::of(stream.executor()), &emit_total, &stop);
  deadline.expires_after(time);
  co_return co_await readable_unless(stream, stop);
}

IoStatus Outgoing::push(net::ByteStream& stream) {
  while (!parts_[0].empty() || !parts_[1].empty()) {
    const IoResult sent = stream.try_write(parts_);
    if (sent.status == IoStatus::kWouldBlock) {
      want_ = sent.want;
      return IoStatus::kWouldBlock;
    }
    if (sent.status != IoStatus::kOk) {
      error_ = sent.error;
      return IoStatus::kError;
    }
    written_ += sent.bytes;
    const std::size_t of_first = std::min(sent.bytes, parts_[0].size());
    parts_[0] = parts_[0].subspan(of_first);
    parts_[1] = parts_[1].subspan(sent.bytes - of_first);
  }
  return IoStatus::kOk;
}

asio::awaitable<IoStatus> Outgoing::finish(net::ByteStream& stream) {
  for (;;) {
    const IoStatus status = push(stream);
    if (status != IoStatus::kWouldBlock) co_return status;
    Result<> ready = co_await stream.wait(want_);
    if (!ready) {
      error_ = ready.error().code;
      co_return IoStatus::kError;
    }
  }
}

asio::awaitable<Result<>> write_all(net::ByteStream& stream, Bytes first, Bytes second,
                                    std::uint64_t& count) {
  Outgoing out(first, second);
  IoStatus status = out.push(stream);
  if (status == IoStatus::kWouldBlock) status = co_await out.finish(stream);
  count += out.written();
  if (status == IoStatus::kOk) co_return Result<>();
  co_return std::unexpected(Error{out.error(), "write: " + out.error().message()});
}

bool peer_is_gone(int socket, bool ended_is_gone) {
  pollfd state{.fd = socket, .events = static_cast<short>(ended_is_gone ? POLLRDHUP : 0)};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace agentsh::flows
