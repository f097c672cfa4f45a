// Payment cards (ISO/IEC 7812), IBAN (ISO 13616), BIC (ISO 9362), bank routing numbers.

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>

namespace agentsh::dlp {

namespace {

struct CardRange {
  int first;  // Six digits, inclusive.
  int last;
  unsigned lengths;  // Bit n: n digits.
};

constexpr unsigned lengths(std::initializer_list<unsigned> values) {
  unsigned bits = 0;
  for (const unsigned value : values) bits |= 1U << value;
  return bits;
}

constexpr std::array kCardRanges = {
    CardRange{222100, 272099, lengths({16})},              // Mastercard
    CardRange{300000, 305999, lengths({14, 16})},          // Diners Club
    CardRange{309500, 309599, lengths({14, 16})},          // Diners Club
    CardRange{340000, 349999, lengths({15})},              // American Express
    CardRange{352800, 358999, lengths({16, 17, 18, 19})},  // JCB
    CardRange{360000, 369999, lengths({14, 16, 19})},      // Diners Club
    CardRange{370000, 379999, lengths({15})},              // American Express
    CardRange{380000, 399999, lengths({14, 16})},          // Diners Club
    CardRange{400000, 499999, lengths({13, 16, 19})},      // Visa
    CardRange{500000, 509999, lengths({16, 18, 19})},      // Maestro, Elo, Verve, Dankort 5019
    CardRange{510000, 559999, lengths({16})},              // Mastercard
    CardRange{560000, 589999, lengths({16, 18, 19})},      // Maestro
    CardRange{601100, 601199, lengths({16, 17, 18, 19})},  // Discover
    CardRange{606282, 606282, lengths({16})},              // Hipercard
    CardRange{608001, 608500, lengths({16})},              // RuPay
    CardRange{620000, 629999, lengths({16, 17, 18, 19})},  // UnionPay
    CardRange{636368, 636368, lengths({16})},              // Elo
    CardRange{637000, 639999, lengths({16, 18, 19})},      // InstaPayment, Maestro
    CardRange{644000, 659999, lengths({16, 17, 18, 19})},  // Discover, RuPay
    CardRange{670000, 679999, lengths({16, 18, 19})},      // Maestro
    CardRange{817199, 820199, lengths({16})},              // RuPay
};

bool is_card(const Digits& digits) {
  if (digits.size() < 13 || digits.size() > 19 || digits.is_sequence()) return false;
  const auto prefix = digits.number(0, 6);
  const bool issued = std::ranges::any_of(kCardRanges, [&](const CardRange& range) {
    return prefix >= range.first && prefix <= range.last &&
           (range.lengths >> digits.size() & 1) != 0;
  });
  // Behind the issuer's prefix all zeros: a round number, not a card.
  return issued && luhn(digits) && digits.number(4, digits.size() - 5) != 0;
}

bool credit_card(std::string_view value, const ValidatorParameters&) {
  return is_card(Digits::of(value, " -"));
}

// ISO/IEC 7813 track 1 ("%B...^") or track 2 (";...=").
bool card_track(std::string_view value, const ValidatorParameters&) {
  const auto first = value.find_first_of("0123456789");
  if (first == std::string_view::npos) return false;
  const auto end = value.find_first_not_of("0123456789", first);
  if (end == std::string_view::npos || !luhn(Digits::of(value.substr(first, end - first)))) {
    return false;
  }
  const auto expiry = value.find_last_of("^=") + 1;
  if (expiry + 4 > value.size()) return false;
  const Digits month = Digits::of(value.substr(expiry + 2, 2));
  return month.size() == 2 && month.number(0, 2) >= 1 && month.number(0, 2) <= 12;
}

struct IbanCountry {
  std::string_view code;
  std::size_t length;
};

constexpr std::array kIbanCountries = {
    IbanCountry{"AD", 24}, IbanCountry{"AE", 23}, IbanCountry{"AL", 28}, IbanCountry{"AT", 20},
    IbanCountry{"AZ", 28}, IbanCountry{"BA", 20}, IbanCountry{"BE", 16}, IbanCountry{"BG", 22},
    IbanCountry{"BH", 22}, IbanCountry{"BI", 27}, IbanCountry{"BR", 29}, IbanCountry{"BY", 28},
    IbanCountry{"CH", 21}, IbanCountry{"CR", 22}, IbanCountry{"CY", 28}, IbanCountry{"CZ", 24},
    IbanCountry{"DE", 22}, IbanCountry{"DJ", 27}, IbanCountry{"DK", 18}, IbanCountry{"DO", 28},
    IbanCountry{"EE", 20}, IbanCountry{"EG", 29}, IbanCountry{"ES", 24}, IbanCountry{"FI", 18},
    IbanCountry{"FK", 18}, IbanCountry{"FO", 18}, IbanCountry{"FR", 27}, IbanCountry{"GB", 22},
    IbanCountry{"GE", 22}, IbanCountry{"GI", 23}, IbanCountry{"GL", 18}, IbanCountry{"GR", 27},
    IbanCountry{"GT", 28}, IbanCountry{"HR", 21}, IbanCountry{"HU", 28}, IbanCountry{"IE", 22},
    IbanCountry{"IL", 23}, IbanCountry{"IQ", 23}, IbanCountry{"IS", 26}, IbanCountry{"IT", 27},
    IbanCountry{"JO", 30}, IbanCountry{"KW", 30}, IbanCountry{"KZ", 20}, IbanCountry{"LB", 28},
    IbanCountry{"LC", 32}, IbanCountry{"LI", 21}, IbanCountry{"LT", 20}, IbanCountry{"LU", 20},
    IbanCountry{"LV", 21}, IbanCountry{"LY", 25}, IbanCountry{"MC", 27}, IbanCountry{"MD", 24},
    IbanCountry{"ME", 22}, IbanCountry{"MK", 19}, IbanCountry{"MN", 20}, IbanCountry{"MR", 27},
    IbanCountry{"MT", 31}, IbanCountry{"MU", 30}, IbanCountry{"NI", 28}, IbanCountry{"NL", 18},
    IbanCountry{"NO", 15}, IbanCountry{"OM", 23}, IbanCountry{"PK", 24}, IbanCountry{"PL", 28},
    IbanCountry{"PS", 29}, IbanCountry{"PT", 25}, IbanCountry{"QA", 29}, IbanCountry{"RO", 24},
    IbanCountry{"RS", 22}, IbanCountry{"RU", 33}, IbanCountry{"SA", 24}, IbanCountry{"SC", 31},
    IbanCountry{"SD", 18}, IbanCountry{"SE", 24}, IbanCountry{"SI", 19}, IbanCountry{"SK", 24},
    IbanCountry{"SM", 27}, IbanCountry{"SO", 23}, IbanCountry{"ST", 25}, IbanCountry{"SV", 28},
    IbanCountry{"TL", 23}, IbanCountry{"TN", 24}, IbanCountry{"TR", 26}, IbanCountry{"UA", 29},
    IbanCountry{"VA", 22}, IbanCountry{"VG", 24}, IbanCountry{"XK", 20}, IbanCountry{"YE", 30},
};

// ISO 13616: the length of its country and ISO/IEC 7064 MOD 97-10.
bool iban(std::string_view value, const ValidatorParameters&) {
  std::array<char, 34> text{};
  std::size_t size = 0;
  for (const char c : value) {
    if (c == ' ' || c == '-') continue;
    if (size == text.size()) return false;
    text[size++] = c;
  }
  const std::string_view country(text.data(), std::min<std::size_t>(size, 2));
  const auto entry = std::ranges::find(kIbanCountries, country, &IbanCountry::code);
  if (entry == kIbanCountries.end() || entry->length != size) return false;
  int value97 = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = text[(i + 4) % size];
    if (c >= '0' && c <= '9') {
      value97 = (value97 * 10 + (c - '0')) % 97;
    } else if (c >= 'A' && c <= 'Z') {
      value97 = (value97 * 100 + (c - 'A' + 10)) % 97;
    } else {
      return false;
    }
  }
  return value97 == 1;
}

// Every ISO 3166-1 code that institutions have BICs in, and XK.
constexpr std::string_view kCountries =
    "AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ "
    "BR BS BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM "
    "DO DZ EC EE EG ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT "
    "GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP "
    "KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MO MP MQ MR "
    "MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST "
    "SV SX SY SZ TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI "
    "VN VU WF WS XK YE YT ZA ZM ZW ";

bool is_country(std::string_view code) {
  for (std::size_t i = 0; i < kCountries.size(); i += 3) {
    if (kCountries.substr(i, 2) == code) return true;
  }
  return false;
}

bool bic(std::string_view value, const ValidatorParameters&) {
  return (value.size() == 8 || value.size() == 11) && is_country(value.substr(4, 2));
}

// The American Bankers Association's routing number: 3 7 1.
bool aba_routing(std::string_view value, const ValidatorParameters&) {
  const Digits digits = Digits::of(value, "");
  return digits.size() == 9 && !digits.is_sequence() &&
         weighted_sum(digits, {3, 7, 1, 3, 7, 1, 3, 7, 1}) % 10 == 0;
}

bool luhn_number(std::string_view value, const ValidatorParameters&) {
  return luhn(Digits::of(value));
}

constexpr std::array kEntries = {
    ValidatorEntry{"aba_routing", aba_routing, 0, 0, "weights 3 7 1 of US routing numbers"},
    ValidatorEntry{"bic", bic, 0, 0, "a country in a BIC"},
    ValidatorEntry{"card_track", card_track, 0, 0, "card number and expiry of a magnetic stripe"},
    ValidatorEntry{"credit_card", credit_card, 0, 0, "issuer's range, length and Luhn sum"},
    ValidatorEntry{"iban", iban, 0, 0, "the country's length and MOD 97-10"},
    ValidatorEntry{"luhn", luhn_number, 0, 0, "Luhn sum"},
};

}  // namespace

std::span<const ValidatorEntry> financial_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
