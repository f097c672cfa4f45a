#include "audit/text_buffer.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace agentsh::audit {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// The length of the well-formed UTF-8 sequence at the start of `text`, 0 when there is none
// (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

bool is_plain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

// How many bytes at the start of `text` need no escape and are ASCII, eight at a time.
std::size_t plain_prefix(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const auto zero_byte = [](std::uint64_t word) { return (word - kOnes) & ~word & kHigh; };
  std::size_t i = 0;
  while (text.size() - i >= 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    const std::uint64_t special = ((word - kOnes * 0x20) & ~word & kHigh) | (word & kHigh) |
                                  zero_byte(word ^ (kOnes * '"')) |
                                  zero_byte(word ^ (kOnes * '\\'));
    if (special != 0) break;
    i += 8;
  }
  while (i < text.size() && is_plain(static_cast<unsigned char>(text[i]))) ++i;
  return i;
}

struct Date {
  unsigned year, month, day;
};

// Civil date of a day number counted from 1970-01-01, in the proleptic Gregorian calendar: years
// are taken to begin in March, so that the leap day is the last day of its year.
Date civil_date(std::int64_t days) {
  days += 719468;  // From 0000-03-01.
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted_month = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const auto year = static_cast<unsigned>(era * 400 + year_of_era) + (month <= 2 ? 1 : 0);
  return {year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

std::size_t boundary_at_or_before(std::string_view text, std::size_t limit) {
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  return end;
}

}  // namespace

void TextBuffer::grow(std::size_t count) {
  const std::size_t capacity = std::max(std::bit_ceil(size_ + count), std::size_t{1024});
  auto data = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
  data_ = std::move(data);
  capacity_ = capacity;
}

void TextBuffer::quoted(std::string_view text, std::size_t limit) {
  if (text.size() > limit) text = text.substr(0, boundary_at_or_before(text, limit));
  raw('"');
  escaped(text);
  raw('"');
}

void TextBuffer::escaped(std::string_view text) {
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    raw(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto c = static_cast<unsigned char>(text.front());
    if (c >= 0x80) {
      const std::size_t length = utf8_length(text);
      raw(length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length));
      text.remove_prefix(std::max(length, std::size_t{1}));
      continue;
    }
    switch (c) {
      case '"':
        literal("\\\"");
        break;
      case '\\':
        literal("\\\\");
        break;
      case '\n':
        literal("\\n");
        break;
      case '\r':
        literal("\\r");
        break;
      case '\t':
        literal("\\t");
        break;
      default:
        literal("\\u00");
        raw(kHexDigits[c >> 4]);
        raw(kHexDigits[c & 15]);
    }
    text.remove_prefix(1);
  }
}

void TextBuffer::number(std::int64_t value) {
  char* start = room(20);
  size_ += static_cast<std::size_t>(std::to_chars(start, start + 20, value).ptr - start);
}

void TextBuffer::number(std::uint64_t value) {
  char* start = room(20);
  size_ += static_cast<std::size_t>(std::to_chars(start, start + 20, value).ptr - start);
}

void TextBuffer::number(double value) {
  if (!std::isfinite(value)) {
    literal("null");
    return;
  }
  char* start = room(32);
  size_ += static_cast<std::size_t>(std::to_chars(start, start + 32, value).ptr - start);
}

void TextBuffer::hexadecimal(std::uint64_t value, int digits) {
  char* start = room(static_cast<std::size_t>(digits));
  for (int i = 0; i < digits; ++i) start[i] = kHexDigits[value >> (4 * (digits - 1 - i)) & 15];
  size_ += static_cast<std::size_t>(digits);
}

void TextBuffer::two_digits(unsigned value) {
  raw(static_cast<char>('0' + value / 10));
  raw(static_cast<char>('0' + value % 10));
}

void TextBuffer::timestamp(std::int64_t nanoseconds) {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  std::int64_t seconds = nanoseconds / kPerSecond;
  std::int64_t fraction = nanoseconds % kPerSecond;
  if (fraction < 0) {
    fraction += kPerSecond;
    --seconds;
  }
  const std::int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  const auto second_of_day = static_cast<unsigned>(seconds - days * 86400);
  const Date date = civil_date(days);
  two_digits(date.year / 100);
  two_digits(date.year % 100);
  raw('-');
  two_digits(date.month);
  raw('-');
  two_digits(date.day);
  raw('T');
  two_digits(second_of_day / 3600);
  raw(':');
  two_digits(second_of_day / 60 % 60);
  raw(':');
  two_digits(second_of_day % 60);
  raw('.');
  char* start = room(9);
  for (int i = 8; i >= 0; --i) {
    start[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  size_ += 9;
  raw('Z');
}

}  // namespace agentsh::audit
