#include "base/time_format.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <ctime>

namespace agentsh {
namespace {

using std::chrono::nanoseconds;

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first where one is a prefix of the other ("ms" before "m").
constexpr Unit kUnits[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                           {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};

std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return {};
  int value = 0;
  for (char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool literal(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string format_rfc3339(WallTime time) {
  const auto since_epoch = std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
  std::time_t seconds = static_cast<std::time_t>(since_epoch / 1'000'000'000);
  const auto fraction = since_epoch % 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     fraction);
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  std::tm parts{};
  auto year = digits(text, 4);
  if (!year || !literal(text, '-')) return {};
  auto month = digits(text, 2);
  if (!month || !literal(text, '-')) return {};
  auto day = digits(text, 2);
  if (!day || !(literal(text, 'T') || literal(text, ' '))) return {};
  auto hour = digits(text, 2);
  if (!hour || !literal(text, ':')) return {};
  auto minute = digits(text, 2);
  if (!minute || !literal(text, ':')) return {};
  auto second = digits(text, 2);
  if (!second) return {};
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 ||
      *second > 60) {
    return {};
  }
  std::int64_t fraction = 0;
  if (literal(text, '.')) {
    std::int64_t scale = 100'000'000;
    bool any = false;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      fraction += (text.front() - '0') * scale;
      scale /= 10;
      any = true;
      text.remove_prefix(1);
    }
    if (!any) return {};
  }
  int offset_minutes = 0;
  if (!literal(text, 'Z')) {
    const int sign = literal(text, '-') ? -1 : literal(text, '+') ? 1 : 0;
    auto hours = digits(text, 2);
    if (sign == 0 || !hours || !literal(text, ':')) return {};
    auto minutes = digits(text, 2);
    if (!minutes) return {};
    offset_minutes = sign * (*hours * 60 + *minutes);
  }
  if (!text.empty()) return {};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute - offset_minutes;
  parts.tm_sec = *second;
  const std::time_t seconds = ::timegm(&parts);
  // What 64 bits of nanoseconds hold: the years 1678 to 2261.
  if (seconds < -9'214'560'000 || seconds > 9'214'646'399) return {};
  return std::chrono::system_clock::from_time_t(seconds) + nanoseconds(fraction);
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return {};
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || end == text.data() || text.front() == '-') return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (text.starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    if (unit == nullptr) return {};
    text.remove_prefix(unit->name.size());
    total += number * unit->nanoseconds;
  }
  if (!(total <= 9.2e18)) return {};
  return nanoseconds(static_cast<std::int64_t>(std::llround(total)));
}

std::string format_duration(nanoseconds duration) {
  const auto count = duration.count();
  if (count == 0) return "0s";
  if (count % 1'000'000'000 != 0) {
    if (count < 1'000) return fmt::format("{}ns", count);
    if (count < 1'000'000) return fmt::format("{:g}us", static_cast<double>(count) / 1e3);
    if (count < 1'000'000'000) return fmt::format("{:g}ms", static_cast<double>(count) / 1e6);
    return fmt::format("{:g}s", static_cast<double>(count) / 1e9);
  }
  auto seconds = count / 1'000'000'000;
  std::string text;
  if (seconds >= 3600) text += fmt::format("{}h", seconds / 3600);
  if (seconds % 3600 >= 60) text += fmt::format("{}m", seconds % 3600 / 60);
  if (seconds % 60 != 0) text += fmt::format("{}s", seconds % 60);
  return text;
}

}  // namespace agentsh
