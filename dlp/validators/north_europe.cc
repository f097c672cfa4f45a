// Identity numbers of the Nordic and Baltic countries.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <array>

namespace agentsh::dlp {

namespace {

// Skatteverket: the last ten digits by Luhn; coordination numbers add 60 to the day.
bool se_personnummer(std::string_view value, const ValidatorParameters&) {
  Digits digits = Digits::of(value, "-+");
  if (digits.size() == 12) digits = digits.from(2);
  if (digits.size() != 10 || !luhn(digits)) return false;
  const auto day = digits.number(4, 2);
  return is_short_date(static_cast<int>(digits.number(0, 2)), static_cast<int>(digits.number(2, 2)),
                       static_cast<int>(day > 60 ? day - 60 : day));
}

// Skatteetaten: two check digits; D numbers add 40 to the day, synthetic ones 40 or 80 to the
// month.
bool no_fodselsnummer(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  if (digits.size() != 11) return false;
  const int first = (11 - weighted_sum(digits, {3, 7, 6, 1, 8, 9, 4, 5, 2}) % 11) % 11;
  const int second = (11 - weighted_sum(digits, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11) % 11;
  if (first != digits[9] || second != digits[10]) return false;
  return is_short_date(static_cast<int>(digits.number(4, 2)),
                       static_cast<int>(digits.number(2, 2) % 40),
                       static_cast<int>(digits.number(0, 2) % 40));
}

bool fi_hetu(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 11) return false;
  const Digits date = Digits::of(value.substr(0, 6), "");
  const Digits serial = Digits::of(value.substr(7, 3), "");
  if (date.size() != 6 || serial.size() != 3) return false;
  const auto number = date.number(0, 6) * 1000 + serial.number(0, 3);
  return value[10] ==
             std::string_view(
                 "0123456789ABCDEFHJKLMNPRSTUVWXY")[static_cast<std::size_t>(number % 31)] &&
         is_short_date(static_cast<int>(date.number(4, 2)), static_cast<int>(date.number(2, 2)),
                       static_cast<int>(date.number(0, 2)));
}

// The check of modulus 11 is not kept since 2007: a birthday it has to be.
bool dk_cpr(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  return digits.size() == 10 && !digits.is_sequence() &&
         is_short_date(static_cast<int>(digits.number(4, 2)), static_cast<int>(digits.number(2, 2)),
                       static_cast<int>(digits.number(0, 2)));
}

// Companies add 40 to the day; the last digit is the century.
bool is_kennitala(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  if (digits.size() != 10) return false;
  const int check = (11 - weighted_sum(digits, {3, 2, 7, 6, 5, 4, 3, 2}) % 11) % 11;
  return check == digits[8] && (digits[9] == 0 || digits[9] >= 8) &&
         is_short_date(static_cast<int>(digits.number(4, 2)), static_cast<int>(digits.number(2, 2)),
                       static_cast<int>(digits.number(0, 2) % 40));
}

// Estonia and Lithuania: a second row of weights when the first gives 10.
bool ee_isikukood(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 11) return false;
  int check = weighted_sum(digits, {1, 2, 3, 4, 5, 6, 7, 8, 9, 1}) % 11;
  if (check == 10) check = weighted_sum(digits, {3, 4, 5, 6, 7, 8, 9, 1, 2, 3}) % 11 % 10;
  const int century = 1800 + (digits[0] - 1) / 2 * 100;
  return check == digits[10] &&
         is_date(century + static_cast<int>(digits.number(1, 2)),
                 static_cast<int>(digits.number(3, 2)), static_cast<int>(digits.number(5, 2)));
}

bool lv_personas_kods(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  if (digits.size() != 11) return false;
  const int sum = weighted_sum(digits, {1, 6, 3, 7, 9, 10, 5, 8, 4, 2});
  return (1101 - sum) % 11 == digits[10] &&
         is_short_date(static_cast<int>(digits.number(4, 2)), static_cast<int>(digits.number(2, 2)),
                       static_cast<int>(digits.number(0, 2)));
}

constexpr std::array kEntries = {
    ValidatorEntry{"dk_cpr", dk_cpr, 0, 0, "birthday of a CPR number"},
    ValidatorEntry{"ee_isikukood", ee_isikukood, 0, 0,
                   "check digit and birthday of an Estonian or Lithuanian code"},
    ValidatorEntry{"fi_hetu", fi_hetu, 0, 0, "check character and birthday of a henkilotunnus"},
    ValidatorEntry{"is_kennitala", is_kennitala, 0, 0, "check digit and day of a kennitala"},
    ValidatorEntry{"lv_personas_kods", lv_personas_kods, 0, 0,
                   "check digit and birthday of a Latvian code"},
    ValidatorEntry{"no_fodselsnummer", no_fodselsnummer, 0, 0,
                   "check digits and birthday of a Norwegian number"},
    ValidatorEntry{"se_personnummer", se_personnummer, 0, 0,
                   "Luhn sum and birthday of a personnummer"},
};

}  // namespace

std::span<const ValidatorEntry> north_europe_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
