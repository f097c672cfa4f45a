// What edge-triggered readiness must not lose, and how waits end.
#include "proxy/net/readiness.h"

#include "proxy/net/socket_stream.h"
#include "tests/support/run_loop.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using test::run_loop;

class ReadinessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pair = stream_pair(loop_.get_executor());
    ASSERT_TRUE(pair);
    near_ = std::move(pair->first);
    far_ = std::move(pair->second);
  }
  void send(std::string_view text) {
    ASSERT_EQ(::send(far_->native_handle(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What one attempt gets.
  std::string take(std::size_t size) {
    std::string text(size, '\0');
    const IoResult got = near_->try_read(as_writable(text));
    return got.status == IoStatus::kOk ? text.substr(0, got.bytes) : std::string();
  }
  static std::span<std::uint8_t> as_writable(std::string& text) {
    return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
  }
  bool readable() { return run_loop(loop_, near_->wait(Want::kRead)).has_value(); }

  asio::io_context loop_{1};
  std::unique_ptr<SocketStream> near_, far_;
};

TEST_F(ReadinessTest, IsALevelUntilAnAttemptFindsNothing) {
  send("abcd");
  EXPECT_TRUE(readable());
  EXPECT_TRUE(readable()) << "nothing was read in between";
  EXPECT_EQ(take(2), "ab");
  EXPECT_TRUE(readable()) << "a full buffer may leave something behind";
  EXPECT_EQ(take(2), "cd");
  EXPECT_EQ(take(2), "");
  send("e");
  EXPECT_TRUE(readable());
  EXPECT_EQ(take(2), "e");
}

TEST_F(ReadinessTest, AnEndThatCameWithTheLastBytesIsNoticedAfterAShortRead) {
  send("last");
  ASSERT_EQ(::shutdown(far_->native_handle(), SHUT_WR), 0);
  EXPECT_TRUE(readable());
  EXPECT_EQ(take(100), "last");
  EXPECT_TRUE(readable());
  std::array<std::uint8_t, 4> buffer;
  EXPECT_EQ(near_->try_read(buffer).status, IoStatus::kEnd);
}

TEST_F(ReadinessTest, AnEndThatComesAfterAShortReadIsAnEdgeOfItsOwn) {
  send("last");
  EXPECT_TRUE(readable());
  EXPECT_EQ(take(100), "last");
  far_->close();
  EXPECT_TRUE(readable());
}

TEST_F(ReadinessTest, APlaceIsTakenAgainWithoutTheEdgesOfTheOneBefore) {
  for (int round = 0; round < 100; ++round) {
    SetUp();
    send("x");  // Its edge is never taken.
    near_->close();
    SetUp();
    EXPECT_EQ(take(1), "");
    bool ended = false;
    asio::co_spawn(
        loop_,
        [](SocketStream& stream, bool& done) -> asio::awaitable<void> {
          static_cast<void>(co_await stream.wait(Want::kRead));
          done = true;
        }(*near_, ended),
        [](const std::exception_ptr&) {});
    loop_.restart();
    loop_.poll();
    EXPECT_FALSE(ended) << "nothing was sent to this one";
    near_->close();
    loop_.poll();
    EXPECT_TRUE(ended);
  }
}

// What is watched for both directions at once, one of which is ended while the other goes on.
TEST_F(ReadinessTest, ACancellationEndsItsOwnWaitOnly) {
  EXPECT_EQ(take(1), "");
  asio::cancellation_signal cancel;
  std::optional<bool> ended_well;
  asio::co_spawn(
      loop_,
      [](SocketStream& stream) -> asio::awaitable<bool> {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        co_return (co_await stream.wait(Want::kRead)).has_value();
      }(*near_),
      asio::bind_cancellation_slot(
          cancel.slot(), [&](const std::exception_ptr&, bool ready) { ended_well = ready; }));
  loop_.poll();
  EXPECT_FALSE(ended_well);
  cancel.emit(asio::cancellation_type::total);
  loop_.restart();
  loop_.poll();
  EXPECT_EQ(ended_well, false);
  send("x");
  EXPECT_TRUE(readable());
}

TEST_F(ReadinessTest, ALoopThatGoesTakesItsWaitingCoroutinesAlong) {
  auto loop = std::make_unique<asio::io_context>(1);
  auto pair = stream_pair(loop->get_executor());
  ASSERT_TRUE(pair);
  asio::co_spawn(
      *loop,
      [](std::unique_ptr<SocketStream> stream) -> asio::awaitable<void> {
        static_cast<void>(co_await stream->wait(Want::kRead));
      }(std::move(pair->first)),
      [](const std::exception_ptr&) {});
  loop->poll();
  pair->second->close();
  pair->second.reset();
  loop.reset();
}

}  // namespace
}  // namespace agentsh::net
