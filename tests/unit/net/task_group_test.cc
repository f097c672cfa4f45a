#include "proxy/net/task_group.h"

#include "proxy/net/socket_stream.h"
#include "tests/support/run_loop.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>

#include <stdexcept>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::run_loop;

asio::awaitable<void> wait_to_read(ByteStream& stream, std::error_code& ended) {
  Result<> waited = co_await stream.wait(Want::kRead);
  ended = waited ? std::error_code() : waited.error().code;
}

asio::awaitable<void> ignore_polite_requests(bool& ended) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  asio::steady_timer forever(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await forever.async_wait(asio::as_tuple(asio::use_awaitable));
  ended = true;
}

asio::awaitable<void> throw_something() {
  throw std::runtime_error("on purpose");
  co_return;
}

TEST(TaskGroup, EndsWaitsWithoutExceptions) {
  asio::io_context loop(1);
  auto pair = stream_pair(loop.get_executor());
  ASSERT_TRUE(pair);
  TaskGroup group(loop.get_executor());
  std::error_code ended;
  ASSERT_TRUE(group.spawn("reader", wait_to_read(*pair->first, ended)));
  EXPECT_EQ(group.size(), 1u);
  EXPECT_EQ(run_loop(loop, group.shutdown(milliseconds(2000))), 0u);
  EXPECT_EQ(ended, std::errc::operation_canceled);
}

TEST(TaskGroup, TellsWhoDoesNotListenAfterTheGrace) {
  asio::io_context loop(1);
  TaskGroup group(loop.get_executor());
  bool ended = false;
  ASSERT_TRUE(group.spawn("stubborn", ignore_polite_requests(ended)));
  loop.poll();
  EXPECT_EQ(run_loop(loop, group.shutdown(milliseconds(20))), 0u);
  EXPECT_TRUE(ended);
}

TEST(TaskGroup, TakesNoTaskOnceStopping) {
  asio::io_context loop(1);
  TaskGroup group(loop.get_executor());
  EXPECT_EQ(run_loop(loop, group.shutdown(milliseconds(1))), 0u);
  EXPECT_TRUE(group.stopping());
  bool ended = false;
  EXPECT_FALSE(group.spawn("late", ignore_polite_requests(ended)));
}

TEST(TaskGroup, AnExceptionEndsItsTaskOnly) {
  asio::io_context loop(1);
  auto pair = stream_pair(loop.get_executor());
  ASSERT_TRUE(pair);
  TaskGroup group(loop.get_executor());
  std::error_code ended;
  group.spawn("thrower", throw_something());
  group.spawn("reader", wait_to_read(*pair->first, ended));
  loop.poll();
  EXPECT_EQ(group.size(), 1u);
  EXPECT_EQ(run_loop(loop, group.shutdown(milliseconds(2000))), 0u);
}

TEST(TaskGroup, MayGoBeforeItsTasks) {
  asio::io_context loop(1);
  auto pair = stream_pair(loop.get_executor());
  ASSERT_TRUE(pair);
  std::error_code ended = std::make_error_code(std::errc::io_error);
  {
    TaskGroup group(loop.get_executor());
    group.spawn("reader", wait_to_read(*pair->first, ended));
  }
  ASSERT_TRUE(run_loop(loop, write(*pair->second, as_bytes("x"))));
  loop.restart();
  loop.run();
  EXPECT_EQ(ended, std::error_code());
}

}  // namespace
}  // namespace agentsh::net
