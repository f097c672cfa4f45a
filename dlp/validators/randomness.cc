// Does a value look like what a generator made, or like a word, an identifier, a placeholder?

#include "dlp/validators/digits.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace agentsh::dlp {

namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return is_lower(c) || is_upper(c);
}
char lowered(char c) {
  return is_upper(c) ? static_cast<char>(c + 32) : c;
}

double shannon_entropy(std::string_view value) {
  if (value.empty()) return 0;
  std::array<unsigned, 256> count{};
  for (const char c : value) ++count[static_cast<std::uint8_t>(c)];
  double bits = 0;
  const auto size = static_cast<double>(value.size());
  for (const unsigned n : count) {
    if (n != 0) bits -= n / size * std::log2(n / size);
  }
  return bits;
}

unsigned count_classes(std::string_view value) {
  return (std::ranges::any_of(value, is_lower) ? 1U : 0U) +
         (std::ranges::any_of(value, is_upper) ? 1U : 0U) +
         (std::ranges::any_of(value, is_digit) ? 1U : 0U);
}

// Letter case ignored; `word` is in lower case.
bool contains(std::string_view value, std::string_view word) {
  return std::search(value.begin(), value.end(), word.begin(), word.end(),
                     [](char a, char b) { return lowered(a) == b; }) != value.end();
}

bool equals(std::string_view value, std::string_view word) {
  return value.size() == word.size() && contains(value, word);
}

// The pairs of letters that are common in English (and in identifiers), most of a text's pairs. In
// random letters about one pair in four is one of them.
bool is_common_pair(char a, char b) {
  static constexpr auto kCommon = [] {
    std::array<bool, 26 * 26> table{};
    constexpr std::string_view pairs =
        "thheaninerreonatndsteseotiengofitedisitalarstonthaseasveouhileromerilicetaurorllhoraelma"
        "chcoridicadesidenenoliecssgelitrnsnewastowiutfoacnhcelpracoseeomtewhopupeiloearossmoabgh"
        "bepotypekeyavalevamoodivsupeuttsshmiclirdaakueaplaieofctunimbutplowriagtsmmiprctsiapioge"
        "blsturiglskyptngeyimuslectamiduncktruadopiisefspacmaserverpassworduserloggadingetsetrun";
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      table[static_cast<std::size_t>((pairs[i] - 'a') * 26 + (pairs[i + 1] - 'a'))] = true;
    }
    return table;
  }();
  return kCommon[static_cast<std::size_t>((lowered(a) - 'a') * 26 + (lowered(b) - 'a'))];
}

// Made of words, as identifiers, paths and sentences are. Of random texts one in 200 passes for
// words at 16 characters, one in 1000 at 24.
bool reads_as_words(std::string_view value) {
  std::size_t pairs = 0;
  std::size_t common = 0;
  std::size_t letters = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (is_letter(value[i])) ++letters;
    if (i == 0 || !is_letter(value[i]) || !is_letter(value[i - 1])) continue;
    if (is_upper(value[i]) && is_lower(value[i - 1])) continue;  // camelCase: a new word.
    ++pairs;
    if (is_common_pair(value[i - 1], value[i])) ++common;
  }
  return pairs >= 6 && letters * 2 > value.size() && common * 20 >= pairs * 13;
}

bool entropy(std::string_view value, const ValidatorParameters& parameters) {
  return shannon_entropy(value) >= parameters.numbers[0];
}

bool classes(std::string_view value, const ValidatorParameters& parameters) {
  return count_classes(value) >= parameters.numbers[0];
}

bool length(std::string_view value, const ValidatorParameters& parameters) {
  const auto size = static_cast<double>(value.size());
  return size >= parameters.numbers.front() && size <= parameters.numbers.back();
}

bool letters_and_digits(std::string_view value, const ValidatorParameters&) {
  return std::ranges::any_of(value, is_letter) && std::ranges::any_of(value, is_digit);
}

bool has_digits(std::string_view value, const ValidatorParameters& parameters) {
  return static_cast<double>(std::ranges::count_if(value, is_digit)) >= parameters.numbers[0];
}

bool not_hex(std::string_view value, const ValidatorParameters&) {
  return !std::ranges::all_of(
      value, [](char c) { return is_digit(c) || (lowered(c) >= 'a' && lowered(c) <= 'f'); });
}

bool not_sequence(std::string_view value, const ValidatorParameters&) {
  Digits digits;
  const auto first = value.find_first_of("0123456789");
  if (first != std::string_view::npos) {
    digits = Digits::of(value.substr(first), " -./()ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  }
  return !digits.is_sequence();
}

// What stands in documentation where a secret would.
bool is_placeholder(std::string_view value) {
  static constexpr std::array<std::string_view, 38> kWhole = {
      "password", "passwd",     "pass",     "pwd",        "secret",    "user",     "username",
      "postgres", "mypass",     "token",    "root",       "admin",     "changeit", "changeme",
      "null",     "none",       "true",     "false",      "undefined", "string",   "optional",
      "required", "mypassword", "pw",       "passphrase", "userpass",  "apikey",   "api_key",
      "key",      "guest",      "nil",      "empty",      "default",   "test",     "redis",
      "mysql",    "mongo",      "pass_word"};
  static constexpr std::array<std::string_view, 26> kParts = {
      "example",  "xxxx",       "your_",    "your-",     "yourpass",  "yourtoken",   "yourkey",
      "yourapi",  "yoursecret", "changeme", "change_me", "change-me", "placeholder", "dummy",
      "redacted", "insert_",    "replace_", "replaceme", "****",      "....",        "12345678",
      "abcdefgh", "aaaaaaaa",   "00000000", "notreal",   "not_real"};
  if (value.find_first_of("<>{}") != std::string_view::npos) return true;
  if (!value.empty() && (value.front() == '$' || value.front() == '%')) return true;
  return std::ranges::any_of(kWhole, [&](std::string_view w) { return equals(value, w); }) ||
         std::ranges::any_of(kParts, [&](std::string_view w) { return contains(value, w); });
}

bool not_placeholder(std::string_view value, const ValidatorParameters&) {
  return !is_placeholder(value);
}

bool not_words(std::string_view value, const ValidatorParameters&) {
  return !reads_as_words(value);
}

// A value with the randomness of a key, for secrets known by their names only.
bool random_token(std::string_view value, const ValidatorParameters&) {
  if (is_placeholder(value) || reads_as_words(value)) return false;
  const auto digits = static_cast<std::size_t>(std::ranges::count_if(value, is_digit));
  if (digits == 0 || digits == value.size()) return false;
  if (std::ranges::none_of(value, is_letter)) return false;
  const double needed = value.size() < 20 ? 2.8 : value.size() < 32 ? 3.0 : 3.2;
  return shannon_entropy(value) >= needed;
}

// What people and generators use as passwords, and code does not have in that place: something with
// a digit or a sign in it that is no expression (self.password, getpass(), os.environ).
bool password_like(std::string_view value, const ValidatorParameters&) {
  while (!value.empty() && std::string_view(".,:?!").find(value.back()) != std::string_view::npos) {
    value.remove_suffix(1);
  }
  if (value.size() < 6 || is_placeholder(value)) return false;
  const bool digit = std::ranges::any_of(value, is_digit);
  const bool sign = std::ranges::any_of(value, [](char c) {
    return std::string_view("!@#%^&*+=?~").find(c) != std::string_view::npos;
  });
  if (!digit && !sign) {
    // Letters only: what a generator makes, no word.
    return value.size() >= 10 && count_classes(value) == 2 && !reads_as_words(value) &&
           shannon_entropy(value) >= 3;
  }
  if (std::ranges::none_of(value, is_letter)) return digit && value.size() >= 6;
  if (value.find("::") != std::string_view::npos || value.find("->") != std::string_view::npos ||
      value.find("&&") != std::string_view::npos || value.find("==") == 0) {
    return false;
  }
  // An expression: identifiers joined by dots or underscores, a path, a URL.
  if (value.front() == '/' || value.front() == '@' || value.front() == '&' ||
      value.front() == '*' || value.find("://") != std::string_view::npos) {
    return false;
  }
  return sign || !reads_as_words(value) || value.find_first_of("._/") == std::string_view::npos;
}

constexpr std::array kEntries = {
    ValidatorEntry{"classes", classes, 1, 1, "at least N of lower case, upper case and digits"},
    ValidatorEntry{"entropy", entropy, 1, 1, "at least N bits of Shannon entropy a character"},
    ValidatorEntry{"has_digits", has_digits, 1, 1, "at least N digits"},
    ValidatorEntry{"length", length, 1, 2, "N bytes, or N to M"},
    ValidatorEntry{"letters_and_digits", letters_and_digits, 0, 0, "a letter and a digit at least"},
    ValidatorEntry{"not_hex", not_hex, 0, 0, "something else than hexadecimal digits"},
    ValidatorEntry{"not_placeholder", not_placeholder, 0, 0,
                   "nothing that documentation writes in place of a secret"},
    ValidatorEntry{"not_sequence", not_sequence, 0, 0, "no 1111111 and no 12345678"},
    ValidatorEntry{"not_words", not_words, 0, 0, "no identifier, path or sentence"},
    ValidatorEntry{"password_like", password_like, 0, 0,
                   "a password rather than an expression or a word"},
    ValidatorEntry{"random_token", random_token, 0, 0, "the randomness of a generated key"},
};

}  // namespace

std::span<const ValidatorEntry> randomness_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
