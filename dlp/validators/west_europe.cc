// Identity, social security and tax numbers of western and southern Europe.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>

namespace agentsh::dlp {

namespace {

constexpr std::string_view kDniLetters = "TRWAGMYFPDXBNJZSQVHLCKE";

// HMRC: no D F I Q U V, no O in the second place, and prefixes that are not issued.
bool uk_nino(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 9) return false;
  const std::string_view prefix = value.substr(0, 2);
  if (std::string_view("DFIQUV").contains(prefix[0])) return false;
  if (std::string_view("DFIOQUV").contains(prefix[1])) return false;
  for (const std::string_view never : {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}) {
    if (prefix == never) return false;
  }
  return !Digits::of(value.substr(2, value.size() - 3)).is_sequence();
}

bool uk_nhs(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.size() != 10 || digits.is_sequence()) return false;
  const int check = 11 - weighted_sum(digits, {10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return check != 10 && check % 11 == digits[9];
}

bool uk_utr(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  if (digits.size() != 10) return false;
  const int rest = weighted_sum(digits.from(1), {6, 7, 8, 9, 10, 5, 4, 3, 2}) % 11;
  return std::string_view("21987654321")[static_cast<std::size_t>(rest)] - '0' == digits[0];
}

// DVLA: five letters of the name padded with 9, the decade, the month (plus 50 for women), the day.
bool uk_driving_licence(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 16) return false;
  const auto padding = value.substr(0, 5).find('9');
  if (padding != std::string_view::npos &&
      value.substr(padding, 5 - padding).find_first_not_of('9') != std::string_view::npos) {
    return false;
  }
  const Digits digits = Digits::of(value.substr(5, 6), "");
  if (digits.size() != 6) return false;
  const auto month = digits.number(1, 2) % 50;
  return is_short_date(digits[0] * 10 + digits[5], static_cast<int>(month),
                       static_cast<int>(digits.number(3, 2)));
}

bool ie_pps(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 8 && value.size() != 9) return false;
  const Digits digits = Digits::of(value.substr(0, 7), "");
  if (digits.size() != 7) return false;
  int sum = weighted_sum(digits, {8, 7, 6, 5, 4, 3, 2});
  if (value.size() == 9 && value[8] != 'W') sum += (value[8] - 'A' + 1) * 9;
  const int rest = sum % 23;
  return value[7] == (rest == 0 ? 'W' : static_cast<char>('A' + rest - 1));
}

// BZSt: of the first ten digits one stands twice or thrice, the others once at most.
bool de_tax_id(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  if (digits.size() != 11 || digits[0] == 0 || !mod_11_10(digits)) return false;
  std::array<int, 10> count{};
  for (std::size_t i = 0; i < 10; ++i) ++count[static_cast<std::size_t>(digits[i])];
  const auto repeated = std::ranges::count_if(count, [](int n) { return n > 1; });
  return repeated == 1 && std::ranges::max(count) <= 3;
}

// Deutsche Rentenversicherung: area, birthday, letter as two digits, serial; digit sums of weights.
bool de_social_security(std::string_view value, const ValidatorParameters&) {
  std::array<int, 13> digits{};
  std::size_t size = 0;
  for (const char c : value) {
    if (c == ' ') continue;
    if (size == digits.size()) return false;
    if (c >= 'A' && c <= 'Z') {
      if (size + 2 > digits.size()) return false;
      digits[size++] = (c - 'A' + 1) / 10;
      digits[size++] = (c - 'A' + 1) % 10;
    } else {
      digits[size++] = c - '0';
    }
  }
  if (size != 13) return false;
  constexpr std::array<int, 12> kWeights = {2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1};
  int sum = 0;
  for (std::size_t i = 0; i < kWeights.size(); ++i) {
    const int product = digits[i] * kWeights[i];
    sum += product / 10 + product % 10;
  }
  const int day = digits[2] * 10 + digits[3];
  const int month = digits[4] * 10 + digits[5];
  return sum % 10 == digits[12] && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

// INSEE: 97 less the remainder; Corsica's 2A and 2B count as 19 and 18.
bool fr_nir(std::string_view value, const ValidatorParameters&) {
  std::int64_t number = 0;
  std::array<char, 15> text{};
  std::size_t size = 0;
  for (const char c : value) {
    if (c == ' ') continue;
    if (size == text.size()) return false;
    text[size++] = c;
  }
  if (size != 15) return false;
  if (text[6] == 'A' || text[6] == 'B') {
    text[5] = '1';
    text[6] = text[6] == 'A' ? '9' : '8';
  }
  for (std::size_t i = 0; i < 13; ++i) number = number * 10 + (text[i] - '0');
  return 97 - number % 97 == (text[13] - '0') * 10 + (text[14] - '0');
}

bool es_dni(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 9) return false;
  const Digits digits = Digits::of(value.substr(0, value.size() - 1), " -");
  if (digits.size() != 8 || digits.is_sequence()) return false;
  return value.back() == kDniLetters[static_cast<std::size_t>(digits.number(0, 8) % 23)];
}

bool es_nie(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 9 || value[0] < 'X' || value[0] > 'Z') return false;
  const Digits digits = Digits::of(value.substr(1, value.size() - 2), " -");
  if (digits.size() != 7) return false;
  const auto number = (value[0] - 'X') * 10000000 + digits.number(0, 7);
  return value.back() == kDniLetters[static_cast<std::size_t>(number % 23)];
}

// Agenzia delle Entrate: characters in odd places by a table, in even ones by their number.
bool it_codice_fiscale(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 16) return false;
  constexpr std::array<int, 26> kOdd = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  int sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const bool digit = value[i] >= '0' && value[i] <= '9';
    if (!digit && (value[i] < 'A' || value[i] > 'Z')) return false;
    const int number = value[i] <= '9' ? value[i] - '0' : value[i] - 'A';
    sum += i % 2 == 0 ? kOdd[static_cast<std::size_t>(number)] : number;
  }
  return value[15] == 'A' + sum % 26;
}

bool nl_bsn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, ".");
  return digits.size() == 9 && !digits.is_sequence() &&
         weighted_sum(digits, {9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 == 0;
}

// 97 less the remainder of the first nine, with a 2 before them for those born from 2000 on.
bool be_national_number(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -.");
  if (digits.size() != 11) return false;
  const auto number = digits.number(0, 9);
  const auto check = digits.number(9, 2);
  const auto month = digits.number(2, 2);
  if (month > 12 || digits.number(4, 2) > 31) return false;
  return check == 97 - number % 97 || check == 97 - (number + 2000000000) % 97;
}

bool pt_nif(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  if (digits.size() != 9 || digits.is_sequence()) return false;
  const int check = 11 - weighted_sum(digits, {9, 8, 7, 6, 5, 4, 3, 2}) % 11;
  return (check >= 10 ? 0 : check) == digits[8];
}

bool at_social_security(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  if (digits.size() != 10) return false;
  const auto month = digits.number(6, 2);
  const auto day = digits.number(4, 2);
  return weighted_sum(digits, {3, 7, 9, 0, 5, 8, 4, 2, 1, 6}) % 11 == digits[3] && month >= 1 &&
         month <= 15 && day >= 1 && day <= 31;
}

// GS1: weights 1 and 3 from the left, thirteen digits.
bool ean13(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, ".");
  return digits.size() == 13 &&
         (10 - weighted_sum(digits, {1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3}) % 10) % 10 == digits[12];
}

bool gr_amka(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  return digits.size() == 11 && luhn(digits) &&
         is_short_date(static_cast<int>(digits.number(4, 2)), static_cast<int>(digits.number(2, 2)),
                       static_cast<int>(digits.number(0, 2)));
}

bool gr_afm(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  return digits.size() == 9 && !digits.is_sequence() &&
         weighted_sum(digits, {256, 128, 64, 32, 16, 8, 4, 2}) % 11 % 10 == digits[8];
}

constexpr std::array kEntries = {
    ValidatorEntry{"at_social_security", at_social_security, 0, 0,
                   "check digit and birthday of an Austrian insurance number"},
    ValidatorEntry{"be_national_number", be_national_number, 0, 0,
                   "check number of a Belgian register number"},
    ValidatorEntry{"de_social_security", de_social_security, 0, 0,
                   "check digit of a German pension insurance number"},
    ValidatorEntry{"de_tax_id", de_tax_id, 0, 0, "MOD 11,10 and repeated digit of a Steuer-ID"},
    ValidatorEntry{"ean13", ean13, 0, 0, "GS1 check digit of thirteen digits"},
    ValidatorEntry{"es_dni", es_dni, 0, 0, "letter of a DNI"},
    ValidatorEntry{"es_nie", es_nie, 0, 0, "letter of a NIE"},
    ValidatorEntry{"fr_nir", fr_nir, 0, 0, "key of a French NIR"},
    ValidatorEntry{"gr_afm", gr_afm, 0, 0, "check digit of a Greek tax number"},
    ValidatorEntry{"gr_amka", gr_amka, 0, 0, "birthday and Luhn sum of an AMKA"},
    ValidatorEntry{"ie_pps", ie_pps, 0, 0, "check letter of a PPS number"},
    ValidatorEntry{"it_codice_fiscale", it_codice_fiscale, 0, 0,
                   "check letter of a codice fiscale"},
    ValidatorEntry{"nl_bsn", nl_bsn, 0, 0, "the eleven test of a BSN"},
    ValidatorEntry{"pt_nif", pt_nif, 0, 0, "check digit of a Portuguese NIF"},
    ValidatorEntry{"uk_driving_licence", uk_driving_licence, 0, 0,
                   "name and birthday of a UK driver number"},
    ValidatorEntry{"uk_nhs", uk_nhs, 0, 0, "check digit of an NHS number"},
    ValidatorEntry{"uk_nino", uk_nino, 0, 0, "prefixes of national insurance numbers"},
    ValidatorEntry{"uk_utr", uk_utr, 0, 0, "check digit of a UTR"},
};

}  // namespace

std::span<const ValidatorEntry> west_europe_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
