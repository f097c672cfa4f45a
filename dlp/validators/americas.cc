// Identity and tax numbers of the Americas.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>

namespace agentsh::dlp {

namespace {

// The Social Security Administration: area not 000, 666 or from 900 on, no group 00, no serial
// 0000.
bool us_ssn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.size() != 9 || digits.first(8).is_sequence()) return false;
  const auto number = digits.number(0, 9);
  const auto area = digits.number(0, 3);
  // Printed on cards and in brochures: never a person's.
  if (number == 78051120 || number == 219099999) return false;
  return area != 0 && area != 666 && area < 900 && digits.number(3, 2) != 0 &&
         digits.number(5, 4) != 0;
}

// The Internal Revenue Service: 9xx and a fourth and fifth digit of 50-65, 70-88, 90-92, 94-99.
bool us_itin(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.size() != 9 || digits[0] != 9) return false;
  const auto group = digits.number(3, 2);
  return group >= 50 && group != 66 && group != 67 && group != 68 && group != 69 && group != 89 &&
         group != 93;
}

// The Internal Revenue Service's prefixes of campuses and of the Internet.
bool us_ein(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  if (digits.size() != 9 || digits.is_sequence()) return false;
  const auto prefix = digits.number(0, 2);
  constexpr std::array<std::int64_t, 17> kNever = {0,  7,  8,  9,  17, 18, 19, 28, 29,
                                                   49, 69, 70, 78, 79, 89, 96, 97};
  return std::ranges::find(kNever, prefix) == kNever.end();
}

// Luhn with 80840 before it (the health industry's issuer identifier).
bool us_npi(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  if (digits.size() != 10) return false;
  std::array<std::uint8_t, 15> whole = {8, 0, 8, 4, 0};
  std::ranges::copy(digits.span(), whole.begin() + 5);
  return luhn(whole);
}

bool us_dea(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 9) return false;
  const Digits digits = Digits::of(value.substr(2), "");
  return digits.size() == 7 && weighted_sum(digits, {1, 2, 1, 2, 1, 2}) % 10 == digits[6];
}

bool ca_sin(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  return digits.size() == 9 && digits[0] != 0 && digits[0] != 8 && luhn(digits);
}

// One of Receita Federal's two check digits over the digits before it; weights rise from 2 on to
// the left, from `wrap` back to 2.
int brazilian_check(const Digits& digits, std::size_t count, int wrap) {
  int sum = 0;
  int weight = 2;
  for (std::size_t i = count; i-- > 0; weight = weight == wrap ? 2 : weight + 1) {
    sum += digits[i] * weight;
  }
  return sum % 11 < 2 ? 0 : 11 - sum % 11;
}

bool br_cpf(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, ".-");
  return digits.size() == 11 && !digits.is_sequence() &&
         brazilian_check(digits, 9, 11) == digits[9] &&
         brazilian_check(digits, 10, 11) == digits[10];
}

bool br_cnpj(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, ".-/");
  return digits.size() == 14 && !digits.is_sequence() &&
         brazilian_check(digits, 12, 9) == digits[12] &&
         brazilian_check(digits, 13, 9) == digits[13];
}

// RENAPO: digits are themselves, A to N 10 to 23, the letter with a tilde 24, O to Z 25 on.
bool mx_curp(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 18) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    const char c = value[i];
    const int number = c <= '9' ? c - '0' : c - 'A' + 10 + (c > 'N' ? 1 : 0);
    sum += number * static_cast<int>(18 - i);
  }
  return (10 - sum % 10) % 10 == value[17] - '0';
}

// The Servicio de Administracion Tributaria: weights 13 to 2 of 12 characters, companies' of eleven
// with a space before them.
bool mx_rfc(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 12 && value.size() != 13) return false;
  static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ ";
  int sum = value.size() == 12 ? 37 * 13 : 0;
  int weight = value.size() == 12 ? 12 : 13;
  for (const char c : value.substr(0, value.size() - 1)) {
    sum += static_cast<int>(kAlphabet.find(c)) * weight--;
  }
  const int check = 11 - sum % 11;
  return value.back() == (check == 11 ? '0' : check == 10 ? 'A' : static_cast<char>('0' + check));
}

bool ar_cuit(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  if (digits.size() != 11) return false;
  const int check = 11 - weighted_sum(digits, {5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  return check != 10 && check % 11 == digits[10];
}

bool cl_rut(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 2) return false;
  const Digits digits = Digits::of(value.substr(0, value.size() - 1), ".-");
  if (digits.size() < 7 || digits.size() > 8 || digits.is_sequence()) return false;
  int sum = 0;
  int weight = 2;
  for (std::size_t i = digits.size(); i-- > 0; weight = weight == 7 ? 2 : weight + 1) {
    sum += digits[i] * weight;
  }
  const int check = 11 - sum % 11;
  const char expected = check == 11 ? '0' : check == 10 ? 'K' : static_cast<char>('0' + check);
  return (value.back() & ~32) == (expected & ~32);
}

bool co_nit(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, ".-");
  if (digits.size() != 10) return false;
  const int rest = weighted_sum(digits, {41, 37, 29, 23, 19, 17, 13, 7, 3}) % 11;
  return (rest < 2 ? rest : 11 - rest) == digits[9];
}

bool uy_ci(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, ".-");
  return digits.size() == 8 &&
         (10 - weighted_sum(digits, {2, 9, 8, 7, 6, 3, 4}) % 10) % 10 == digits[7];
}

// Registro Civil: a province, a third digit below 6 and the Luhn sum.
bool ec_cedula(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  if (digits.size() != 10 || digits[2] > 5) return false;
  const auto province = digits.number(0, 2);
  return ((province >= 1 && province <= 24) || province == 30) && luhn(digits);
}

constexpr std::array kEntries = {
    ValidatorEntry{"ar_cuit", ar_cuit, 0, 0, "check digit of an Argentine CUIT or CUIL"},
    ValidatorEntry{"br_cnpj", br_cnpj, 0, 0, "both check digits of a CNPJ"},
    ValidatorEntry{"br_cpf", br_cpf, 0, 0, "both check digits of a CPF"},
    ValidatorEntry{"ca_sin", ca_sin, 0, 0, "first digit and Luhn sum of a Canadian SIN"},
    ValidatorEntry{"cl_rut", cl_rut, 0, 0, "check character of a Chilean RUT"},
    ValidatorEntry{"co_nit", co_nit, 0, 0, "check digit of a Colombian NIT"},
    ValidatorEntry{"ec_cedula", ec_cedula, 0, 0, "province and Luhn sum of a cedula of Ecuador"},
    ValidatorEntry{"mx_curp", mx_curp, 0, 0, "check digit of a CURP"},
    ValidatorEntry{"mx_rfc", mx_rfc, 0, 0, "check character of an RFC"},
    ValidatorEntry{"us_dea", us_dea, 0, 0, "check digit of a DEA number"},
    ValidatorEntry{"us_ein", us_ein, 0, 0, "prefixes that the IRS uses"},
    ValidatorEntry{"us_itin", us_itin, 0, 0, "ranges of ITINs"},
    ValidatorEntry{"us_npi", us_npi, 0, 0, "Luhn sum of 80840 and the number"},
    ValidatorEntry{"us_ssn", us_ssn, 0, 0, "area, group and serial that are issued"},
    ValidatorEntry{"uy_ci", uy_ci, 0, 0, "check digit of a cedula of Uruguay"},
};

}  // namespace

std::span<const ValidatorEntry> americas_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
