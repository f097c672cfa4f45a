#include "audit/subscribers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace agentsh::audit {
namespace {

TEST(Subscribers, HearUntilTheirTokenGoes) {
  const auto subscribers = std::make_shared<Subscribers>();
  EXPECT_FALSE(subscribers->any());
  int first = 0;
  int second = 0;
  auto one = subscribers->add([&](const RecordedEvent&) { ++first; });
  auto two = subscribers->add([&](const RecordedEvent&) { ++second; });
  subscribers->deliver({});
  one.reset();
  subscribers->deliver({});
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  two.reset();
  EXPECT_FALSE(subscribers->any());
}

TEST(Subscribers, MayEndTheirOwnSubscriptionAndOthersInACall) {
  const auto subscribers = std::make_shared<Subscribers>();
  int calls = 0;
  std::shared_ptr<Subscription> self;
  std::shared_ptr<Subscription> other;
  self = subscribers->add([&](const RecordedEvent&) {
    ++calls;
    self.reset();
    other.reset();
  });
  other = subscribers->add([&](const RecordedEvent&) { ++calls; });
  subscribers->deliver({});
  subscribers->deliver({});
  EXPECT_EQ(calls, 1);
}

TEST(Subscribers, MayBeAddedInACall) {
  const auto subscribers = std::make_shared<Subscribers>();
  int late = 0;
  std::vector<std::shared_ptr<Subscription>> tokens;
  tokens.push_back(subscribers->add([&](const RecordedEvent&) {
    tokens.push_back(subscribers->add([&](const RecordedEvent&) { ++late; }));
  }));
  subscribers->deliver({});
  EXPECT_EQ(late, 1);
  subscribers->deliver({});
  EXPECT_EQ(late, 3);
}

TEST(Subscribers, TokenOutlivesTheRest) {
  auto subscribers = std::make_shared<Subscribers>();
  auto token = subscribers->add([](const RecordedEvent&) {});
  subscribers.reset();
  token.reset();
}

TEST(Subscribers, EndWaitsForARunningCall) {
  const auto subscribers = std::make_shared<Subscribers>();
  std::promise<void> entered;
  std::promise<void> release;
  std::atomic<bool> returned = false;
  auto token = subscribers->add([&](const RecordedEvent&) {
    entered.set_value();
    release.get_future().wait();
    returned = true;
  });
  std::thread writer([&] { subscribers->deliver({}); });
  entered.get_future().wait();
  std::thread ending([&] {
    token.reset();
    EXPECT_TRUE(returned);
  });
  release.set_value();
  ending.join();
  writer.join();
}

}  // namespace
}  // namespace agentsh::audit
