// Identity numbers of the Middle East and Africa.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <array>

namespace agentsh::dlp {

namespace {

bool tr_tckn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 11 || digits[0] == 0) return false;
  const int odd = weighted_sum(digits, {1, 0, 1, 0, 1, 0, 1, 0, 1});
  const int even = weighted_sum(digits, {0, 1, 0, 1, 0, 1, 0, 1});
  return (odd * 7 - even + 100) % 10 == digits[9] && (odd + even + digits[9]) % 10 == digits[10];
}

bool il_id(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  return digits.size() == 9 && !digits.is_sequence() && luhn(digits);
}

bool za_id(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  return digits.size() == 13 && luhn(digits) &&
         is_short_date(static_cast<int>(digits.number(0, 2)), static_cast<int>(digits.number(2, 2)),
                       static_cast<int>(digits.number(4, 2)));
}

constexpr std::array kEntries = {
    ValidatorEntry{"il_id", il_id, 0, 0, "Luhn sum of an Israeli identity number"},
    ValidatorEntry{"tr_tckn", tr_tckn, 0, 0, "both check digits of a Turkish identity number"},
    ValidatorEntry{"za_id", za_id, 0, 0, "birthday and Luhn sum of a South African number"},
};

}  // namespace

std::span<const ValidatorEntry> middle_east_africa_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
