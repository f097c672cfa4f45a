// Identity and tax numbers of Asia, Australia and New Zealand.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <array>

namespace agentsh::dlp {

namespace {

constexpr std::array<std::array<std::uint8_t, 10>, 10> kVerhoeffProduct = {{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
    {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
    {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
    {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
    {4, 0, 1, 2, 3, 9, 5, 6, 7, 8},
    {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
    {6, 5, 9, 8, 7, 1, 0, 4, 3, 2},
    {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
    {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
    {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
}};

constexpr std::array<std::array<std::uint8_t, 10>, 8> kVerhoeffPermutation = {{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
    {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
    {5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
    {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
    {9, 4, 5, 3, 1, 2, 6, 8, 7, 0},
    {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
    {2, 7, 9, 3, 8, 0, 6, 4, 1, 5},
    {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
}};

bool verhoeff(const Digits& digits) {
  std::size_t state = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const auto digit = static_cast<std::size_t>(digits[digits.size() - 1 - i]);
    state = kVerhoeffProduct[state][kVerhoeffPermutation[i % 8][digit]];
  }
  return state == 0;
}

bool in_aadhaar(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  return digits.size() == 12 && digits[0] >= 2 && !digits.is_sequence() && verhoeff(digits);
}

// State, PAN, entity, Z and a check character of modulus 36.
bool in_gstin(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 15) return false;
  static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const int state = (value[0] - '0') * 10 + value[1] - '0';
  if ((state < 1 || state > 38) && state != 97) return false;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < 14; ++i) {
    const std::size_t product = kAlphabet.find(value[i]) * (i % 2 == 0 ? 1 : 2);
    sum += product / 36 + product % 36;
  }
  return value[14] == kAlphabet[(36 - sum % 36) % 36];
}

// GB 11643: ISO/IEC 7064 MOD 11-2 and a birthday.
bool cn_resident_id(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 18) return false;
  const Digits digits = Digits::of(value.substr(0, 17), "");
  if (digits.size() != 17) return false;
  const int rest = weighted_sum(digits, {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}) % 11;
  const char check = std::string_view("10X98765432")[static_cast<std::size_t>(rest)];
  return (value[17] == check || (check == 'X' && value[17] == 'x')) &&
         is_date(static_cast<int>(digits.number(6, 4)), static_cast<int>(digits.number(10, 2)),
                 static_cast<int>(digits.number(12, 2)));
}

// One or two letters (a blank counts 36), six digits, and a check of modulus 11.
bool hk_id(std::string_view value, const ValidatorParameters&) {
  std::array<char, 9> text{};
  std::size_t size = 0;
  for (const char c : value) {
    if (c == ' ' || c == '(' || c == ')') continue;
    if (size == text.size()) return false;
    text[size++] = c;
  }
  if (size < 8) return false;
  int sum = size == 8 ? 36 * 9 : 0;
  int weight = size == 8 ? 8 : 9;
  for (std::size_t i = 0; i + 1 < size; ++i) {
    sum += (text[i] >= 'A' ? text[i] - 'A' + 10 : text[i] - '0') * weight--;
  }
  const char check = text[size - 1];
  return (sum + (check == 'A' ? 10 : check - '0')) % 11 == 0;
}

bool tw_id(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 10) return false;
  // The letter's number, from the order in which the counties were given theirs.
  static constexpr std::string_view kOrder = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
  const auto number = static_cast<int>(kOrder.find(value[0])) + 10;
  const Digits digits = Digits::of(value.substr(1), "");
  if (digits.size() != 9) return false;
  const int sum = number / 10 + number % 10 * 9 + weighted_sum(digits, {8, 7, 6, 5, 4, 3, 2, 1, 1});
  return sum % 10 == 0;
}

bool jp_my_number(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.size() != 12 || digits.is_sequence()) return false;
  const int rest = weighted_sum(digits, {6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2}) % 11;
  return (rest <= 1 ? 0 : 11 - rest) == digits[11];
}

// Numbers given out since October 2020 have no check digit: the birthday is what there is.
bool kr_rrn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  if (digits.size() != 13) return false;
  const int century =
      digits[6] == 1 || digits[6] == 2 || digits[6] == 5 || digits[6] == 6 ? 1900 : 2000;
  return is_date(century + static_cast<int>(digits.number(0, 2)),
                 static_cast<int>(digits.number(2, 2)), static_cast<int>(digits.number(4, 2)));
}

bool sg_nric(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 9) return false;
  const Digits digits = Digits::of(value.substr(1, 7), "");
  if (digits.size() != 7) return false;
  const char series = value[0];
  int sum = weighted_sum(digits, {2, 7, 6, 5, 4, 3, 2});
  if (series == 'T' || series == 'G') sum += 4;
  if (series == 'M') sum += 3;
  const std::string_view letters = series == 'S' || series == 'T'   ? "JZIHGFEDCBA"
                                   : series == 'F' || series == 'G' ? "XWUTRQPNMLK"
                                                                    : "XWUTRQPNJLK";
  return value[8] == letters[static_cast<std::size_t>(sum % 11)];
}

bool th_id(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "-");
  return digits.size() == 13 &&
         (11 - weighted_sum(digits, {13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2}) % 11) % 10 ==
             digits[12];
}

bool au_tfn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.is_sequence()) return false;
  if (digits.size() == 8) return weighted_sum(digits, {10, 7, 8, 4, 6, 3, 5, 1}) % 11 == 0;
  return digits.size() == 9 && weighted_sum(digits, {1, 4, 3, 7, 5, 8, 6, 9, 10}) % 11 == 0;
}

bool au_medicare(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " /-");
  return digits.size() >= 10 && !digits.is_sequence() &&
         weighted_sum(digits, {1, 3, 7, 9, 1, 3, 7, 9}) % 10 == digits[8] && digits[9] != 0;
}

bool au_abn(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " ");
  return digits.size() == 11 && digits[0] != 0 &&
         (weighted_sum(digits, {10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19}) - 10) % 89 == 0;
}

// Inland Revenue: a second row of weights when the first gives 10.
bool nz_ird(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, " -");
  if (digits.size() != 8 && digits.size() != 9) return false;
  const auto number = digits.number(0, digits.size());
  if (number < 10000000 || number > 150000000) return false;
  std::array<char, 9> padded{};
  auto rest = number;
  for (std::size_t i = padded.size(); i-- > 0; rest /= 10)
    padded[i] = static_cast<char>('0' + rest % 10);
  const Digits nine = Digits::of({padded.data(), padded.size()}, "");
  int check = (11 - weighted_sum(nine, {3, 2, 7, 6, 5, 4, 3, 2}) % 11) % 11;
  if (check == 10) check = (11 - weighted_sum(nine, {7, 4, 3, 2, 5, 2, 7, 6}) % 11) % 11;
  return check == nine[8];
}

constexpr std::array kEntries = {
    ValidatorEntry{"au_abn", au_abn, 0, 0, "modulus 89 of an ABN"},
    ValidatorEntry{"au_medicare", au_medicare, 0, 0,
                   "check digit of an Australian Medicare number"},
    ValidatorEntry{"au_tfn", au_tfn, 0, 0, "modulus 11 of a TFN"},
    ValidatorEntry{"cn_resident_id", cn_resident_id, 0, 0,
                   "MOD 11-2 and birthday of a Chinese identity number"},
    ValidatorEntry{"hk_id", hk_id, 0, 0, "check character of a Hong Kong identity number"},
    ValidatorEntry{"in_aadhaar", in_aadhaar, 0, 0, "Verhoeff's check of an Aadhaar number"},
    ValidatorEntry{"in_gstin", in_gstin, 0, 0, "state and check character of a GSTIN"},
    ValidatorEntry{"jp_my_number", jp_my_number, 0, 0, "check digit of a Japanese My Number"},
    ValidatorEntry{"kr_rrn", kr_rrn, 0, 0, "birthday of a Korean resident number"},
    ValidatorEntry{"nz_ird", nz_ird, 0, 0, "range and check digit of an IRD number"},
    ValidatorEntry{"sg_nric", sg_nric, 0, 0, "check letter of an NRIC or FIN"},
    ValidatorEntry{"th_id", th_id, 0, 0, "check digit of a Thai identity number"},
    ValidatorEntry{"tw_id", tw_id, 0, 0, "check digit of a Taiwanese identity number"},
};

}  // namespace

std::span<const ValidatorEntry> asia_pacific_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
