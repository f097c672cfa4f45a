// Budgets as text, periods of the calendar, model globs.
#include "proxy/gateway/limits.h"

#include "proxy/gateway/model_glob.h"

#include <gtest/gtest.h>

namespace agentsh::gateway {
namespace {

WallTime at(std::string_view text) {
  return parse_rfc3339(text).value();
}

TEST(Limits, BudgetsAreReadExactly) {
  EXPECT_EQ(parse_budget("10/day").value(),
            (Budget{Unit::kNanoDollars, 10'000'000'000, Period::kDay}));
  EXPECT_EQ(parse_budget(" $0.000000001 / hour").value(),
            (Budget{Unit::kNanoDollars, 1, Period::kHour}));
  EXPECT_EQ(parse_budget("2000000 tokens/month").value(),
            (Budget{Unit::kTokens, 2'000'000, Period::kMonth}));
  EXPECT_EQ(parse_budget("100/total").value(),
            (Budget{Unit::kNanoDollars, 100'000'000'000, Period::kTotal}));
}

TEST(Limits, BudgetsAreWrittenAsTheyAreRead) {
  for (const char* text :
       {"10/day", "0.50/hour", "2000000 tokens/month", "100/total", "0.123456789/day"}) {
    EXPECT_EQ(to_string(parse_budget(text).value()), text);
  }
}

TEST(Limits, OtherTextsAreNoBudgets) {
  for (const char* text :
       {"", "10", "/day", "10/week", "-1/day", "1.0000000001/day", "1e3/day", "ten/day",
        "1.5 tokens/day", "1./day", "99999999999999/day", "1 token"}) {
    EXPECT_FALSE(parse_budget(text)) << text;
  }
}

TEST(Limits, PeriodsAreThoseOfTheCalendar) {
  const WallTime time = at("2026-12-31T23:59:59.5Z");
  EXPECT_EQ(period_start(Period::kHour, time), at("2026-12-31T23:00:00Z"));
  EXPECT_EQ(period_start(Period::kDay, time), at("2026-12-31T00:00:00Z"));
  EXPECT_EQ(period_start(Period::kMonth, time), at("2026-12-01T00:00:00Z"));
  for (const Period period : {Period::kHour, Period::kDay, Period::kMonth}) {
    EXPECT_EQ(period_end(period, time), at("2027-01-01T00:00:00Z"));
  }
  EXPECT_EQ(period_end(Period::kMonth, at("2028-02-01T00:00:00Z")), at("2028-03-01T00:00:00Z"));
  EXPECT_FALSE(period_end(Period::kTotal, time));
}

TEST(ModelGlob, MatchesNamesAndStars) {
  EXPECT_TRUE(matches_model("gpt-4o", "gpt-4o"));
  EXPECT_FALSE(matches_model("gpt-4o", "gpt-4o-mini"));
  EXPECT_TRUE(matches_model("gpt-*", "gpt-4o"));
  EXPECT_TRUE(matches_model("*", ""));
  EXPECT_TRUE(matches_model("*sonnet*5*", "claude-sonnet-4-5"));
  EXPECT_FALSE(matches_model("*sonnet*5", "claude-sonnet-4-5-2026"));
  EXPECT_FALSE(matches_model("", "x"));
  EXPECT_TRUE(matches_model("a*b*c", "abbbbbc"));
  EXPECT_TRUE(allows_model({}, "anything"));
  EXPECT_FALSE(allows_model({"gpt-*", "o3"}, "claude-sonnet-4-5"));
}

}  // namespace
}  // namespace agentsh::gateway
