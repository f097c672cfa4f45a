#include "proxy/gateway/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace agentsh::gateway {
namespace {

constexpr std::array<std::string_view, 4> kPeriods = {"hour", "day", "month", "total"};
constexpr std::uint64_t kNano = 1'000'000'000;
constexpr std::size_t kDecimals = 9;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// Decimal dollars with up to nine digits behind the point, exactly.
std::optional<std::uint64_t> parse_dollars(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto whole = parse_count(text.substr(0, point));
  if (!whole || *whole > UINT64_MAX / kNano / 2) return {};
  std::uint64_t nano = 0;
  if (point < text.size()) {
    std::string digits(text.substr(point + 1));
    if (digits.empty() || digits.size() > kDecimals) return {};
    digits.resize(kDecimals, '0');
    const auto fraction = parse_count(digits);
    if (!fraction) return {};
    nano = *fraction;
  }
  return *whole * kNano + nano;
}

}  // namespace

std::string_view to_string(Period period) {
  return kPeriods[static_cast<std::size_t>(period)];
}

WallTime period_start(Period period, WallTime time) {
  using namespace std::chrono;
  switch (period) {
    case Period::kHour:
      return floor<hours>(time);
    case Period::kDay:
      return floor<days>(time);
    case Period::kMonth: {
      const year_month_day day{floor<days>(time)};
      return sys_days{day.year() / day.month() / 1};
    }
    case Period::kTotal:
      break;
  }
  return WallTime{};
}

std::optional<WallTime> period_end(Period period, WallTime time) {
  using namespace std::chrono;
  const WallTime start = period_start(period, time);
  switch (period) {
    case Period::kHour:
      return start + hours{1};
    case Period::kDay:
      return start + days{1};
    case Period::kMonth: {
      const year_month_day day{floor<days>(start)};
      return sys_days{(day.year() / day.month() + months{1}) / 1};
    }
    case Period::kTotal:
      break;
  }
  return {};
}

Result<Budget> parse_budget(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return fail(
        fmt::format("\"{}\" is no budget: {}; it is written like 10/day, 0.50/hour or "
                    "2000000 tokens/month",
                    text, why));
  };
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return refuse("it has no period");
  const std::string_view period = trimmed(text.substr(slash + 1));
  std::string_view amount = trimmed(text.substr(0, slash));
  const auto found = std::ranges::find(kPeriods, period);
  if (found == kPeriods.end()) return refuse("the period is hour, day, month or total");
  Budget budget;
  budget.period = static_cast<Period>(found - kPeriods.begin());
  std::optional<std::uint64_t> value;
  if (amount.ends_with("tokens")) {
    amount.remove_suffix(6);
    budget.unit = Unit::kTokens;
    value = parse_count(trimmed(amount));
  } else {
    if (amount.starts_with('$')) amount.remove_prefix(1);
    value = parse_dollars(amount);
  }
  if (!value) return refuse("the amount is a number of dollars or of tokens");
  budget.amount = *value;
  return budget;
}

std::string to_string(const Budget& budget) {
  if (budget.unit == Unit::kTokens) {
    return fmt::format("{} tokens/{}", budget.amount, to_string(budget.period));
  }
  std::string dollars = fmt::format("{}", budget.amount / kNano);
  if (const std::uint64_t rest = budget.amount % kNano; rest != 0) {
    std::string digits = fmt::format("{:09}", rest);
    while (digits.size() > 2 && digits.ends_with('0')) digits.pop_back();
    dollars += "." + digits;
  }
  return fmt::format("{}/{}", dollars, to_string(budget.period));
}

}  // namespace agentsh::gateway
