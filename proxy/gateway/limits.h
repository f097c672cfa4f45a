// What a key, a session or a model may use: money and tokens in a period, requests in a minute, at
// once. Plain values, from the configuration or the key store.
//
//   "10/day"  "0.50/hour"  "2000000 tokens/month"  "100/total"     dollars unless it says tokens
#pragma once

#include "base/result.h"
#include "base/time_format.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

enum class Period : std::uint8_t { kHour, kDay, kMonth, kTotal };  // Of the calendar, in UTC.
std::string_view to_string(Period period);

// When the period that `time` is in began, and when the next begins. kTotal began in 1970 and does
// not end.
WallTime period_start(Period period, WallTime time);
std::optional<WallTime> period_end(Period period, WallTime time);

enum class Unit : std::uint8_t { kNanoDollars, kTokens };

struct Budget {
  Unit unit = Unit::kNanoDollars;
  std::uint64_t amount = 0;
  Period period = Period::kTotal;

  friend bool operator==(const Budget&, const Budget&) = default;
};

// Says what is wrong with the text.
Result<Budget> parse_budget(std::string_view text);
// "10/day", "2000000 tokens/month": what parse_budget() reads.
std::string to_string(const Budget& budget);

struct Limits {
  std::vector<Budget> budgets;
  // 0: no limit.
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t concurrent = 0;

  bool none() const {
    return budgets.empty() && requests_per_minute == 0 && tokens_per_minute == 0 && concurrent == 0;
  }
  friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace agentsh::gateway
