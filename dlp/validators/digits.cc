#include "dlp/validators/digits.h"

namespace agentsh::dlp {

Digits Digits::of(std::string_view text, std::string_view separators) {
  Digits result;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      if (result.size_ == kMax) return {};
      result.digits_[result.size_++] = static_cast<std::uint8_t>(c - '0');
    } else if (separators.find(c) == std::string_view::npos) {
      return {};
    }
  }
  return result;
}

Digits Digits::first(std::size_t count) const {
  Digits result = *this;
  if (count < result.size_) result.size_ = count;
  return result;
}

Digits Digits::from(std::size_t index) const {
  Digits result;
  for (std::size_t i = index; i < size_; ++i) result.digits_[result.size_++] = digits_[i];
  return result;
}

std::int64_t Digits::number(std::size_t index, std::size_t count) const {
  std::int64_t value = 0;
  for (std::size_t i = index; i < index + count && i < size_; ++i) value = value * 10 + digits_[i];
  return value;
}

bool Digits::is_sequence() const {
  if (size_ < 2) return false;
  // 9 to 0 and 0 to 9 go on: 1234567890.
  for (const int step : {0, 1, 9}) {
    bool same = true;
    for (std::size_t i = 1; i < size_ && same; ++i) {
      same = digits_[i] == (digits_[i - 1] + step) % 10;
    }
    if (same) return true;
  }
  return false;
}

bool luhn(std::span<const std::uint8_t> digits) {
  if (digits.size() < 2) return false;
  int sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int value = twice ? digits[i] * 2 : digits[i];
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

bool luhn(const Digits& digits) {
  return luhn(digits.span());
}

int weighted_sum(const Digits& digits, std::initializer_list<int> weights) {
  int sum = 0;
  std::size_t i = 0;
  for (const int weight : weights) sum += digits[i++] * weight;
  return sum;
}

bool mod_11_10(const Digits& digits) {
  if (digits.size() < 2) return false;
  int product = 10;
  for (std::size_t i = 0; i + 1 < digits.size(); ++i) {
    int sum = (digits[i] + product) % 10;
    if (sum == 0) sum = 10;
    product = sum * 2 % 11;
  }
  return (11 - product) % 10 == digits.back();
}

int remainder(const Digits& digits, int modulus) {
  int value = 0;
  for (const std::uint8_t digit : digits.span()) value = (value * 10 + digit) % modulus;
  return value;
}

bool is_date(int year, int month, int day) {
  if (year < 1800 || year > 2099 || month < 1 || month > 12 || day < 1) return false;
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool is_short_date(int year, int month, int day) {
  return is_date(1900 + year, month, day) || is_date(2000 + year, month, day);
}

}  // namespace agentsh::dlp
