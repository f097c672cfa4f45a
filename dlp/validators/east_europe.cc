// Identity and tax numbers of central, eastern and south-eastern Europe, and VAT numbers.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <array>

namespace agentsh::dlp {

namespace {

// The century stands in the month: plus 80 for 18yy, 20 for 20yy and so on.
bool pl_pesel(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 11) return false;
  const int check = (10 - weighted_sum(digits, {1, 3, 7, 9, 1, 3, 7, 9, 1, 3}) % 10) % 10;
  const auto month = static_cast<int>(digits.number(2, 2));
  const int century = month > 80 ? 1800 : 1900 + month / 20 * 100;
  return check == digits[10] && is_date(century + static_cast<int>(digits.number(0, 2)), month % 20,
                                        static_cast<int>(digits.number(4, 2)));
}

bool pl_nip(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  return digits.size() == 10 && !digits.is_sequence() &&
         weighted_sum(digits, {6, 5, 7, 2, 3, 4, 5, 6, 7}) % 11 == digits[9];
}

bool ro_cnp(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 13) return false;
  const int rest = weighted_sum(digits, {2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9}) % 11;
  return (rest == 10 ? 1 : rest) == digits[12] &&
         is_short_date(static_cast<int>(digits.number(1, 2)), static_cast<int>(digits.number(3, 2)),
                       static_cast<int>(digits.number(5, 2)));
}

// Women add 50 to the month, 20 or 70 where numbers ran out. Nine digits, without a check, until
// 1953.
bool cz_birth_number(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "/");
  auto month = static_cast<int>(digits.number(2, 2)) % 50;
  if (month > 20) month -= 20;
  const auto year = static_cast<int>(digits.number(0, 2));
  const auto day = static_cast<int>(digits.number(4, 2));
  if (digits.size() == 9) {
    return value.contains('/') && year <= 53 && is_date(1900 + year, month, day);
  }
  if (digits.size() != 10 || !is_short_date(year, month, day)) return false;
  return remainder(digits, 11) == 0 || (digits[9] == 0 && remainder(digits.first(9), 11) == 10);
}

// Plus 20 to the month for 18yy, 40 for 20yy.
bool bg_egn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 10) return false;
  const int check = weighted_sum(digits, {2, 4, 8, 5, 10, 9, 7, 3, 6}) % 11 % 10;
  const auto month = static_cast<int>(digits.number(2, 2));
  const int century = month > 40 ? 2000 : month > 20 ? 1800 : 1900;
  return check == digits[9] && is_date(century + static_cast<int>(digits.number(0, 2)), month % 20,
                                       static_cast<int>(digits.number(4, 2)));
}

bool iso7064_mod11_10(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value);
  return !digits.is_sequence() && mod_11_10(digits);
}

bool hu_taj(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  return digits.size() == 9 && !digits.is_sequence() &&
         weighted_sum(digits, {3, 7, 3, 7, 3, 7, 3, 7}) % 10 == digits[8];
}

bool si_emso(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 13) return false;
  const int check = (11 - weighted_sum(digits, {7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11) % 11;
  const auto year = static_cast<int>(digits.number(4, 3));
  return check == digits[12] &&
         is_date(year >= 800 ? 1000 + year : 2000 + year, static_cast<int>(digits.number(2, 2)),
                 static_cast<int>(digits.number(0, 2)));
}

bool ua_rnokpp(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 10 || digits.is_sequence()) return false;
  const int rest = weighted_sum(digits, {-1, 5, 7, 9, 4, 6, 10, 5, 7}) % 11;
  return (rest + 11) % 11 % 10 == digits[9];
}

bool ru_inn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.is_sequence()) return false;
  if (digits.size() == 10) {
    return weighted_sum(digits, {2, 4, 10, 3, 5, 9, 4, 6, 8}) % 11 % 10 == digits[9];
  }
  return digits.size() == 12 &&
         weighted_sum(digits, {7, 2, 4, 10, 3, 5, 9, 4, 6, 8}) % 11 % 10 == digits[10] &&
         weighted_sum(digits, {3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8}) % 11 % 10 == digits[11];
}

bool ru_snils(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  return digits.size() == 11 &&
         weighted_sum(digits, {9, 8, 7, 6, 5, 4, 3, 2, 1}) % 101 % 100 == digits.number(9, 2);
}

bool french_vat(std::string_view number) {
  const Digits siren = Digits::of(number.substr(2), "");
  const Digits key = Digits::of(number.substr(0, 2), "");
  if (siren.size() != 9 || !luhn(siren)) return false;
  // Keys with letters are reserved and have another sum.
  return key.empty() || key.number(0, 2) == (12 + 3 * (siren.number(0, 9) % 97)) % 97;
}

// The checks that the member states publish for VIES; a country without one has its format only.
bool eu_vat(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 10) return false;
  const std::string_view country = value.substr(0, 2);
  const std::string_view number = value.substr(2);
  if (country == "FR") return french_vat(number);
  const Digits digits = Digits::of(number.substr(0, country == "NL" ? 9 : number.size()), "");
  if (country == "DE") return digits.size() == 9 && digits[0] != 0 && mod_11_10(digits);
  if (country == "IT") return digits.size() == 11 && luhn(digits);
  if (country == "BE") {
    return digits.size() == 10 && 97 - digits.number(0, 8) % 97 == digits.number(8, 2);
  }
  if (country == "PL") {
    return digits.size() == 10 &&
           weighted_sum(digits, {6, 5, 7, 2, 3, 4, 5, 6, 7}) % 11 == digits[9];
  }
  if (country == "DK") {
    return digits.size() == 8 && weighted_sum(digits, {2, 7, 6, 5, 4, 3, 2, 1}) % 11 == 0;
  }
  if (country == "FI") {
    return digits.size() == 8 &&
           (11 - weighted_sum(digits, {7, 9, 10, 5, 8, 4, 2}) % 11) % 11 == digits[7];
  }
  if (country == "SE") return digits.size() == 12 && luhn(digits.first(10)) && digits[11] != 0;
  if (country == "PT") {
    const int check = 11 - weighted_sum(digits, {9, 8, 7, 6, 5, 4, 3, 2}) % 11;
    return digits.size() == 9 && (check >= 10 ? 0 : check) == digits[8];
  }
  return true;
}

constexpr std::array kEntries = {
    ValidatorEntry{"bg_egn", bg_egn, 0, 0, "check digit and birthday of an EGN"},
    ValidatorEntry{"cz_birth_number", cz_birth_number, 0, 0,
                   "birthday and modulus 11 of a Czech or Slovak birth number"},
    ValidatorEntry{"eu_vat", eu_vat, 0, 0, "the member state's check of a VAT number"},
    ValidatorEntry{"hu_taj", hu_taj, 0, 0, "check digit of a TAJ number"},
    ValidatorEntry{"iso7064_mod11_10", iso7064_mod11_10, 0, 0, "ISO/IEC 7064 MOD 11,10"},
    ValidatorEntry{"pl_nip", pl_nip, 0, 0, "check digit of a NIP"},
    ValidatorEntry{"pl_pesel", pl_pesel, 0, 0, "check digit and birthday of a PESEL"},
    ValidatorEntry{"ro_cnp", ro_cnp, 0, 0, "check digit and birthday of a CNP"},
    ValidatorEntry{"ru_inn", ru_inn, 0, 0, "check digits of a Russian INN"},
    ValidatorEntry{"ru_snils", ru_snils, 0, 0, "check number of a SNILS"},
    ValidatorEntry{"si_emso", si_emso, 0, 0, "check digit and birthday of an EMSO or JMBG"},
    ValidatorEntry{"ua_rnokpp", ua_rnokpp, 0, 0, "check digit of a Ukrainian taxpayer number"},
};

}  // namespace

std::span<const ValidatorEntry> east_europe_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
