#include "proxy/flows/switched_relay.h"

#include "proxy/flows/child_task.h"
#include "proxy/flows/stream_io.h"

#include <array>
#include <string>
#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;
using net::IoResult;
using net::IoStatus;
using Side = SwitchedInspector::Side;

namespace {

// One direction: what it reads from and writes to.
struct Direction {
  Side from;
  net::ByteStream& source;
  net::ByteStream& target;
  Buffer& in;
  std::uint64_t& written;
  std::string onward = {};
  bool writing = false;  // Something of `onward` may have been sent in part.
};

class SwitchedRelay {
 public:
  SwitchedRelay(SwitchedSides sides, SwitchedInspector& inspector)
      : sides_(sides),
        inspector_(inspector),
        directions_{
            Direction{Side::kClient, sides.client, sides.server, sides.from_client, end_.to_server},
            Direction{Side::kServer, sides.server, sides.client, sides.from_server,
                      end_.to_client}} {}

  asio::awaitable<SwitchedEnd> run() {
    const asio::any_io_executor executor = directions_[0].source.executor();
    for (std::size_t i = 0; i < directions_.size() && !over_; ++i) {
      tasks_[i].start(executor, pump(i));
    }
    for (ChildTask& task : tasks_) co_await task.join();
    if (end_.refusal) co_await say_last();
    co_return std::move(end_);
  }

 private:
  // The other direction of `index`.
  static std::size_t opposite(std::size_t index) { return 1 - index; }

  asio::awaitable<void> pump(std::size_t index) {
    Direction& way = directions_[index];
    while (!over_) {
      if (!way.in.empty() && !co_await pass_on(index)) break;
      if (over_) break;
      const IoResult got = co_await read_more(way.source, way.in, ReadFirst::kWait);
      if (got.status == IoStatus::kOk) continue;
      if (!over_ && got.status == IoStatus::kError) fail(got.error);
      break;
    }
    stop(index);
  }

  // False: it is over.
  asio::awaitable<bool> pass_on(std::size_t index) {
    Direction& way = directions_[index];
    way.onward.clear();
    back_.clear();
    auto refusal = inspector_.on_bytes(way.from, way.in.data(), way.onward, back_);
    way.in.consume(way.in.size());
    if (refusal) {
      end_.refusal = std::move(refusal);
      refused_ = index;
      co_return false;
    }
    way.writing = true;
    const Result<> sent = co_await write_all(way.target, as_bytes(way.onward), {}, way.written);
    way.writing = !sent.has_value();
    if (!sent && !over_) fail(sent.error().code);
    co_return sent.has_value();
  }

  void fail(const std::error_code& code) { end_.error = Error{code, code.message()}; }

  void stop(std::size_t index) {
    if (std::exchange(over_, true)) return;
    tasks_[opposite(index)].cancel();
  }

  // What the inspector has both sides told. Not where the other direction was stopped in the middle
  // of something: what follows would be taken for a part of it.
  asio::awaitable<void> say_last() {
    sides_.client_deadline.expires_after(sides_.last_words);
    sides_.server_deadline.expires_after(sides_.last_words);
    Direction& way = directions_[refused_];
    Direction& other = directions_[opposite(refused_)];
    if (!other.writing) {
      static_cast<void>(co_await write_all(other.target, as_bytes(back_), {}, other.written));
    }
    static_cast<void>(co_await write_all(way.target, as_bytes(way.onward), {}, way.written));
    sides_.client_deadline.clear();
    sides_.server_deadline.clear();
  }

  SwitchedSides sides_;
  SwitchedInspector& inspector_;
  SwitchedEnd end_;
  std::array<Direction, 2> directions_;
  std::array<ChildTask, 2> tasks_;
  std::string back_;
  std::size_t refused_ = 0;
  bool over_ = false;
};

}  // namespace

asio::awaitable<SwitchedEnd> relay_switched(SwitchedSides sides, SwitchedInspector& inspector) {
  SwitchedRelay relay(sides, inspector);
  co_return co_await relay.run();
}

}  // namespace agentsh::flows
