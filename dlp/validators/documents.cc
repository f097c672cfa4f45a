// ICAO Doc 9303: document numbers and machine readable zones, whose check digits weigh 7 3 1.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>

namespace agentsh::dlp {

namespace {

// -1 for a character that no machine readable zone has.
int mrz_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return c == '<' ? 0 : -1;
}

// The sum over some fields, weights going on from one to the next; -1 when malformed.
int mrz_sum(std::initializer_list<std::string_view> fields) {
  constexpr std::array<int, 3> kWeights = {7, 3, 1};
  int sum = 0;
  std::size_t i = 0;
  for (const std::string_view field : fields) {
    for (const char c : field) {
      const int value = mrz_value(c);
      if (value < 0) return -1;
      sum += value * kWeights[i++ % 3];
    }
  }
  return sum;
}

bool mrz_checks(std::initializer_list<std::string_view> fields, char check) {
  const int sum = mrz_sum(fields);
  return sum >= 0 && sum % 10 == (check == '<' ? 0 : check - '0');
}

// A document number of nine characters and its check digit, as on German cards.
bool mrz_number(std::string_view value, const ValidatorParameters&) {
  if (value.size() != 10 || std::ranges::none_of(value, [](char c) { return c <= '9'; })) {
    return false;
  }
  return mrz_checks({value.substr(0, 9)}, value[9]);
}

// The last `length` bytes: line breaks between the lines may be one byte or two.
std::string_view last(std::string_view value, std::size_t length) {
  return value.substr(value.size() - length);
}

// TD3, two lines of 44.
bool passport_mrz(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 89 || value.front() != 'P' || value.find_first_of("\r\n ") != 44) return false;
  const std::string_view line = last(value, 44);
  return mrz_checks({line.substr(0, 9)}, line[9]) && mrz_checks({line.substr(13, 6)}, line[19]) &&
         mrz_checks({line.substr(21, 6)}, line[27]) &&
         mrz_checks({line.substr(28, 14)}, line[42]) &&
         mrz_checks({line.substr(0, 10), line.substr(13, 7), line.substr(21, 22)}, line[43]);
}

// TD1, three lines of 30.
bool id_card_mrz(std::string_view value, const ValidatorParameters&) {
  if (value.size() < 92 || value.find_first_of("\r\n ") != 30) return false;
  const std::string_view first = value.substr(0, 30);
  if (first[0] != 'A' && first[0] != 'C' && first[0] != 'I') return false;
  const auto second_at = value.find_first_of("0123456789", 30);
  if (second_at == std::string_view::npos || second_at + 30 > value.size()) return false;
  const std::string_view second = value.substr(second_at, 30);
  return mrz_checks({first.substr(5, 9)}, first[14]) &&
         mrz_checks({second.substr(0, 6)}, second[6]) &&
         mrz_checks({second.substr(8, 6)}, second[14]) &&
         mrz_checks(
             {first.substr(5, 25), second.substr(0, 7), second.substr(8, 7), second.substr(18, 11)},
             second[29]);
}

constexpr std::array kEntries = {
    ValidatorEntry{"id_card_mrz", id_card_mrz, 0, 0, "check digits of a TD1 machine readable zone"},
    ValidatorEntry{"mrz_number", mrz_number, 0, 0, "check digit of a document number"},
    ValidatorEntry{"passport_mrz", passport_mrz, 0, 0,
                   "check digits of a TD3 machine readable zone"},
};

}  // namespace

std::span<const ValidatorEntry> document_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
