// Limits hold whatever runs at the same time.
#include "proxy/gateway/budget_book.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

namespace agentsh::gateway {
namespace {

using namespace std::chrono_literals;

class BudgetBookTest : public testing::Test {
 protected:
  static Now later(std::chrono::nanoseconds by) {
    return {kStart.wall + std::chrono::duration_cast<WallTime::duration>(by), kStart.steady + by};
  }
  static BudgetBook::Ask ask(const Limits& limits, std::uint64_t tokens,
                             std::optional<std::uint64_t> money = 0) {
    return {.charges = {{"key:k", &limits}}, .tokens = tokens, .nano_dollars = money};
  }

  inline static const Now kStart{*parse_rfc3339("2026-11-24T10:20:00Z"),
                                 std::chrono::steady_clock::now()};
  BudgetBook book_{nullptr};
};

TEST_F(BudgetBookTest, ReservesBeforeAndSettlesAfter) {
  const Limits limits{.budgets = {{Unit::kTokens, 1000, Period::kDay}}};
  auto first = book_.admit(ask(limits, 600), kStart);
  ASSERT_TRUE(first);
  auto second = book_.admit(ask(limits, 600), kStart);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, LimitKind::kTokens);
  EXPECT_EQ(second.error().retry_after, 1s);  // What runs may leave enough.
  EXPECT_FALSE(second.error().resets_at);
  first->settle({.tokens = 100}, kStart);
  EXPECT_TRUE(book_.admit(ask(limits, 900), kStart));
  EXPECT_EQ(book_.used("key:k", Period::kDay, kStart.wall).tokens, 100u);
}

TEST_F(BudgetBookTest, SaysWhenTheBudgetResets) {
  const Limits limits{.budgets = {{Unit::kNanoDollars, 500, Period::kHour}}};
  book_.admit(ask(limits, 1, 500), kStart)->settle({.nano_dollars = 500}, kStart);
  auto refused = book_.admit(ask(limits, 1, 1), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, LimitKind::kMoney);
  EXPECT_EQ(refused.error().subject, "key:k");
  EXPECT_EQ(refused.error().resets_at, *parse_rfc3339("2026-11-24T11:00:00Z"));
  EXPECT_EQ(refused.error().retry_after, 40min);
  EXPECT_NE(refused.error().message().find("2026-11-24T11:00:00Z"), std::string::npos);
  EXPECT_TRUE(book_.admit(ask(limits, 1, 500), later(41min)));
}

TEST_F(BudgetBookTest, ABudgetForLifeDoesNotReset) {
  const Limits limits{.budgets = {{Unit::kTokens, 10, Period::kTotal}}};
  book_.admit(ask(limits, 10), kStart)->settle({.tokens = 10}, kStart);
  auto refused = book_.admit(ask(limits, 1), later(24h * 400));
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().resets_at);
  EXPECT_FALSE(refused.error().retry_after);
}

TEST_F(BudgetBookTest, WhatHasNoPriceIsRefusedWhereMoneyIsLimited) {
  const Limits money{.budgets = {{Unit::kNanoDollars, 500, Period::kHour}}};
  const Limits tokens{.budgets = {{Unit::kTokens, 500, Period::kHour}}};
  auto refused = book_.admit(ask(money, 1, std::nullopt), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, LimitKind::kUnpriced);
  EXPECT_TRUE(book_.admit(ask(tokens, 1, std::nullopt), kStart));
}

TEST_F(BudgetBookTest, AllLimitsOrNone) {
  const Limits wide{.budgets = {{Unit::kTokens, 100, Period::kDay}}};
  const Limits narrow{.budgets = {{Unit::kTokens, 10, Period::kDay}}};
  const BudgetBook::Ask both{.charges = {{"key:a", &wide}, {"session:s", &narrow}}, .tokens = 50};
  auto refused = book_.admit(both, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().subject, "session:s");
  // Nothing of it stays with the first.
  EXPECT_TRUE(book_.admit({.charges = {{"key:a", &wide}}, .tokens = 100}, kStart));
}

TEST_F(BudgetBookTest, RequestsPerMinute) {
  const Limits limits{.requests_per_minute = 2};
  EXPECT_TRUE(book_.admit(ask(limits, 0), kStart));
  EXPECT_TRUE(book_.admit(ask(limits, 0), kStart));
  auto refused = book_.admit(ask(limits, 0), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, LimitKind::kRequestRate);
  EXPECT_EQ(refused.error().retry_after, 30s);
  EXPECT_FALSE(book_.admit(ask(limits, 0), later(29s)));
  EXPECT_TRUE(book_.admit(ask(limits, 0), later(30s)));
}

TEST_F(BudgetBookTest, TokensPerMinuteGiveBackWhatWasNotUsed) {
  const Limits limits{.tokens_per_minute = 600};
  auto first = book_.admit(ask(limits, 600), kStart);
  ASSERT_TRUE(first);
  auto refused = book_.admit(ask(limits, 100), kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, LimitKind::kTokenRate);
  EXPECT_EQ(refused.error().retry_after, 10s);
  first->settle({.tokens = 100}, kStart);
  EXPECT_TRUE(book_.admit(ask(limits, 500), kStart));
}

TEST_F(BudgetBookTest, ARequestLargerThanAMinutesTokensIsLetThroughAndPaidBack) {
  const Limits limits{.tokens_per_minute = 600};
  auto large = book_.admit(ask(limits, 5000), kStart);
  ASSERT_TRUE(large);
  large->settle({.tokens = 1200}, kStart);
  EXPECT_FALSE(book_.admit(ask(limits, 1), later(59s)));
  EXPECT_TRUE(book_.admit(ask(limits, 1), later(61s)));
}

TEST_F(BudgetBookTest, RequestsAtOnce) {
  const Limits limits{.concurrent = 1};
  {
    auto one = book_.admit(ask(limits, 0), kStart);
    ASSERT_TRUE(one);
    auto refused = book_.admit(ask(limits, 0), kStart);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, LimitKind::kConcurrent);
  }
  EXPECT_TRUE(book_.admit(ask(limits, 0), kStart));
}

TEST_F(BudgetBookTest, BeginsWithTheHistory) {
  std::vector<std::string> asked;
  BudgetBook book([&](std::string_view subject, WallTime since) {
    asked.emplace_back(subject);
    return Used{.tokens = since == period_start(Period::kDay, kStart.wall) ? 70u : 900u};
  });
  const Limits limits{.budgets = {{Unit::kTokens, 100, Period::kDay}}};
  EXPECT_FALSE(book.admit(ask(limits, 31), kStart));
  EXPECT_TRUE(book.admit(ask(limits, 30), kStart));
  EXPECT_EQ(asked, std::vector<std::string>(4, "key:k"));
  EXPECT_EQ(book.used("key:k", Period::kTotal, kStart.wall).tokens, 900u);
}

TEST_F(BudgetBookTest, WhatRunsIsCountedInTheNextPeriodToo) {
  const Limits limits{.budgets = {{Unit::kTokens, 100, Period::kHour}}};
  auto running = book_.admit(ask(limits, 80), kStart);
  ASSERT_TRUE(running);
  EXPECT_FALSE(book_.admit(ask(limits, 30), later(50min)));
  running->settle({.tokens = 80}, later(50min));
  EXPECT_FALSE(book_.admit(ask(limits, 30), later(51min)));
  EXPECT_TRUE(book_.admit(ask(limits, 20), later(51min)));
}

TEST_F(BudgetBookTest, ForgetsOnlyWhoIsIdle) {
  int histories = 0;
  BudgetBook book([&](std::string_view, WallTime) {
    ++histories;
    return Used{};
  });
  const Limits limits{.concurrent = 5};
  auto running = book.admit(ask(limits, 0), kStart);
  book.forget_idle(later(1h).steady);
  EXPECT_TRUE(book.admit(ask(limits, 0), kStart));
  EXPECT_EQ(histories, 4);
  running->settle({}, kStart);
  book.forget_idle(later(1h).steady);
  EXPECT_TRUE(book.admit(ask(limits, 0), kStart));
  EXPECT_EQ(histories, 8);
}

TEST_F(BudgetBookTest, HugeNumbersDoNotWrap) {
  const Limits limits{.budgets = {{Unit::kTokens, UINT64_MAX - 1, Period::kTotal}}};
  auto one = book_.admit(ask(limits, UINT64_MAX - 5), kStart);
  ASSERT_TRUE(one);
  EXPECT_FALSE(book_.admit(ask(limits, 100), kStart));
  EXPECT_FALSE(book_.admit(ask(limits, UINT64_MAX), kStart));
}

// For any interleaving of many threads with requests that cost at most what they reserved: at no
// moment has more been used than the limits allow, and at the end the counters are exact.
TEST_F(BudgetBookTest, NeverOvershootsInParallel) {
  constexpr std::uint64_t kTokens = 200'000;
  constexpr std::uint64_t kMoney = 300'000;
  const Limits limits{.budgets = {{Unit::kTokens, kTokens, Period::kDay},
                                  {Unit::kNanoDollars, kMoney, Period::kTotal}},
                      .concurrent = 3};
  std::atomic<std::uint64_t> tokens = 0, money = 0, refused = 0;
  std::atomic<int> running = 0;
  std::atomic<bool> over = false;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t most = random() % 200;
      const std::uint64_t price = random() % 400;
      auto admitted = book_.admit(ask(limits, most, price), kStart);
      if (!admitted) {
        ++refused;
        continue;
      }
      if (++running > 3) over = true;
      const Used used{most == 0 ? 0 : random() % (most + 1),
                      price == 0 ? 0 : random() % (price + 1)};
      if ((tokens += used.tokens) > kTokens || (money += used.nano_dollars) > kMoney) over = true;
      --running;
      admitted->settle(used, kStart);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(over);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(money, kMoney - 400);
  const Used used = book_.used("key:k", Period::kDay, kStart.wall);
  EXPECT_EQ(used.tokens, tokens);
  EXPECT_EQ(used.nano_dollars, money);
}

}  // namespace
}  // namespace agentsh::gateway
