#include "proxy/net/deadlines.h"

#include "proxy/net/socket_stream.h"
#include "tests/support/run_loop.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <vector>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::run_loop;

struct Wheel {
  asio::io_context loop{1};
  Deadlines& deadlines = Deadlines::of(loop.get_executor());
};

void count_up(void* counter) {
  ++*static_cast<int*>(counter);
}

TEST(Deadlines, ClosesAStreamWhenTheTimeIsOver) {
  asio::io_context loop(1);
  auto pair = stream_pair(loop.get_executor());
  ASSERT_TRUE(pair);
  StreamDeadline deadline(*pair->first);
  const auto start = steady_clock::now();
  deadline.expires_after(milliseconds(120));
  Result<> waited = run_loop(loop, pair->first->wait(Want::kRead));
  const auto took = steady_clock::now() - start;
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, std::errc::operation_canceled);
  EXPECT_TRUE(deadline.expired());
  // Never early; the coarse clock is at most one kernel tick behind.
  EXPECT_GE(took, milliseconds(115));
}

TEST(Deadlines, IsOnePerLoop) {
  Wheel wheel;
  EXPECT_EQ(&wheel.deadlines, &Deadlines::of(wheel.loop.get_executor()));
}

TEST(Deadlines, MovingLaterAndClearingAreHonoured) {
  Wheel wheel;
  int later = 0;
  int cleared = 0;
  int marker = 0;
  Deadline moved(wheel.deadlines, &count_up, &later);
  Deadline off(wheel.deadlines, &count_up, &cleared);
  Deadline end(wheel.deadlines, &count_up, &marker);
  moved.expires_after(milliseconds(60));
  moved.expires_after(std::chrono::hours(1));
  off.expires_after(milliseconds(60));
  off.clear();
  end.expires_after(milliseconds(200));
  while (marker == 0) wheel.loop.run_one();
  EXPECT_EQ(later, 0);
  EXPECT_EQ(cleared, 0);
  EXPECT_FALSE(moved.expired());
}

TEST(Deadlines, MovingEarlierIsHonoured) {
  Wheel wheel;
  int fired = 0;
  Deadline deadline(wheel.deadlines, &count_up, &fired);
  deadline.expires_after(std::chrono::hours(24));
  deadline.expires_after(milliseconds(10));
  const auto start = steady_clock::now();
  while (fired == 0) wheel.loop.run_one();
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Deadlines, LongerThanTheWheelGoesRoundAgain) {
  // The last slot is reached and the deadline put back, without waiting 25 seconds: a deadline
  // beyond the horizon shares its slot's fate, so it must survive slots being run.
  Wheel wheel;
  int fired = 0;
  int marker = 0;
  std::vector<std::unique_ptr<Deadline>> many;
  for (int i = 0; i < 2000; ++i) {
    many.push_back(std::make_unique<Deadline>(wheel.deadlines, &count_up, &fired));
    many.back()->expires_after(milliseconds(50 * i + 60000));
  }
  Deadline end(wheel.deadlines, &count_up, &marker);
  end.expires_after(milliseconds(300));
  while (marker == 0) wheel.loop.run_one();
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(wheel.deadlines.size(), 2000u);
  many.clear();
  EXPECT_EQ(wheel.deadlines.size(), 0u);
}

struct Chain {
  Deadlines& deadlines;
  std::unique_ptr<Deadline> victim;
  int fired = 0;
};

TEST(Deadlines, AnActionMayDestroyItsNeighbour) {
  Wheel wheel;
  Chain chain{.deadlines = wheel.deadlines};
  int victim_fired = 0;
  chain.victim = std::make_unique<Deadline>(wheel.deadlines, &count_up, &victim_fired);
  Deadline killer(
      wheel.deadlines,
      [](void* subject) {
        auto& self = *static_cast<Chain*>(subject);
        ++self.fired;
        self.victim.reset();
      },
      &chain);
  killer.expires_after(milliseconds(30));
  chain.victim->expires_after(milliseconds(30));
  while (chain.fired == 0) wheel.loop.run_one();
  EXPECT_EQ(victim_fired, 0);
  EXPECT_EQ(wheel.deadlines.size(), 0u);
}

TEST(Deadlines, TheTimerStopsWhenNothingIsArmed) {
  Wheel wheel;
  int fired = 0;
  {
    Deadline deadline(wheel.deadlines, &count_up, &fired);
    deadline.expires_after(milliseconds(1));
    while (fired == 0) wheel.loop.run_one();
  }
  // Runs dry by itself: no tick is armed any more.
  wheel.loop.restart();
  wheel.loop.run();
  EXPECT_EQ(fired, 1);
}

}  // namespace
}  // namespace agentsh::net
