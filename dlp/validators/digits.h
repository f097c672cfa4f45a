// Numbers as people write them: the digits of a value without its separators, and the sums that
// identity, card and account numbers are checked by. Nothing here allocates.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace agentsh::dlp {

// Up to 32 digits. Empty when the text held anything else or more of them.
class Digits {
 public:
  static constexpr std::size_t kMax = 32;

  // The digits of `text`, its `separators` left out. Any other byte, or a 33rd digit: empty.
  static Digits of(std::string_view text, std::string_view separators = " -./()");

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int operator[](std::size_t index) const { return digits_[index]; }
  int back() const { return digits_[size_ - 1]; }
  std::span<const std::uint8_t> span() const { return {digits_.data(), size_}; }
  Digits first(std::size_t count) const;
  Digits from(std::size_t index) const;

  // The digits at [index, index + count) as a number. Precondition: count is at most 18.
  std::int64_t number(std::size_t index, std::size_t count) const;

  // All the same, or a run up or down by one ("0000000", "123456789", "9876543210").
  bool is_sequence() const;

 private:
  std::array<std::uint8_t, kMax> digits_{};
  std::size_t size_ = 0;
};

// ISO/IEC 7812-1 annex B: the last digit is the check digit.
bool luhn(const Digits& digits);
// The same over any bytes 0 to 9.
bool luhn(std::span<const std::uint8_t> digits);

// The sum of the first digits, each times its weight. Precondition: no more weights than digits.
int weighted_sum(const Digits& digits, std::initializer_list<int> weights);

// ISO/IEC 7064, MOD 11,10: the last digit is the check digit.
bool mod_11_10(const Digits& digits);

// The remainder of the whole number by `modulus`.
int remainder(const Digits& digits, int modulus);

// A day of the proleptic Gregorian calendar, year 1800 to 2099.
bool is_date(int year, int month, int day);
// The same when only the last two digits of the year are known: a day of 19yy or 20yy.
bool is_short_date(int year, int month, int day);

}  // namespace agentsh::dlp
