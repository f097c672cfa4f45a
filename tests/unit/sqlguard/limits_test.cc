#include "sqlguard/results/limits.h"

#include <gtest/gtest.h>

namespace agentsh::sql {
namespace {

using namespace std::chrono_literals;
using Clock = SessionBudgets::Clock;

TEST(Limits, TheStricterCounts) {
  const auto limits =
      stricter({.max_rows = 5, .statement_timeout = 3s}, {.max_rows = 7, .max_bytes = 9});
  EXPECT_EQ(limits.max_rows, 5u);
  EXPECT_EQ(limits.max_bytes, 9u);
  EXPECT_EQ(limits.statement_timeout, 3s);
}

TEST(Budgets, OfASession) {
  SessionBudgets budgets({{.statements = 2}});
  const Clock::time_point now;
  EXPECT_FALSE(budgets.admit(now));
  EXPECT_FALSE(budgets.admit(now + 1h));
  EXPECT_EQ(budgets.admit(now + 99h), "this session's budget of 2 statements is used up");
}

TEST(Budgets, BeginAnewWithEachPeriod) {
  SessionBudgets budgets({{.rows = 10, .period = 60s}, {.bytes = 100}});
  const Clock::time_point now;
  EXPECT_FALSE(budgets.admit(now));
  budgets.use(7, 30);
  EXPECT_EQ(budgets.remaining(now).max_rows, 3u);
  EXPECT_EQ(budgets.remaining(now).max_bytes, 70u);
  budgets.use(5, 0);
  EXPECT_EQ(budgets.remaining(now).max_rows, 0u);
  EXPECT_EQ(budgets.admit(now + 20s),
            "this session's budget of 10 rows is used up; it begins anew in 40 s");
  EXPECT_FALSE(budgets.admit(now + 60s));
  EXPECT_EQ(budgets.remaining(now + 60s).max_rows, 10u);
  budgets.use(0, 70);
  EXPECT_EQ(budgets.admit(now + 61s), "this session's budget of 100 bytes of results is used up");
}

TEST(Budgets, NoneAreNone) {
  SessionBudgets budgets({});
  EXPECT_FALSE(budgets.admit({}));
  EXPECT_FALSE(budgets.remaining({}).max_rows);
}

}  // namespace
}  // namespace agentsh::sql
