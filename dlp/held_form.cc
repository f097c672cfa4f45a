#include "dlp/held_form.h"

#include "base/encoding.h"
#include "dlp/detector.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kMaxBackslashes = 8;
constexpr std::size_t kMaxSeparators = 3;
constexpr std::size_t kMaxPlaces = 64;  // Ways to read an occurrence that are followed.

bool is_alphanumeric(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9');
}

// The letter that stands for a control character behind a backslash; the character itself for
// others; 0 when a backslash before it would mean something else.
char after_backslash(char byte) {
  switch (byte) {
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    default:
      return is_alphanumeric(byte) ? char{0} : byte;
  }
}

// Whether two hexadecimal digits at `at` spell the byte.
bool spells(std::string_view text, std::size_t at, char byte) {
  if (text.size() < at + 2) return false;
  const int high = hex_digit(text[at]);
  const int low = hex_digit(text[at + 1]);
  return high >= 0 && low >= 0 && high * 16 + low == static_cast<unsigned char>(byte);
}

// Every place behind a spelling of the byte at `at`.
void read_byte(std::string_view text, std::size_t at, char byte, bool escapable,
               std::vector<std::size_t>& after) {
  if (at >= text.size()) return;
  if (text[at] == byte) after.push_back(at + 1);
  if (!escapable) return;
  if (text[at] == '+' && byte == ' ') after.push_back(at + 1);
  if (text[at] == '%') {
    std::size_t digits = at + 1;
    for (unsigned level = 0; level < 3 && text.substr(digits).starts_with("25"); ++level) {
      if (spells(text, digits, byte)) after.push_back(digits + 2);
      digits += 2;
    }
    if (spells(text, digits, byte)) after.push_back(digits + 2);
  }
  const char letter = after_backslash(byte);
  std::size_t i = at;
  while (i < text.size() && text[i] == '\\' && i - at < kMaxBackslashes) {
    const std::string_view rest = text.substr(++i);
    if (letter != 0 && rest.starts_with(letter)) after.push_back(i + 1);
    if (rest.starts_with('x') && spells(text, i + 1, byte)) after.push_back(i + 3);
    const bool ascii = static_cast<unsigned char>(byte) < 0x80;
    if (ascii && rest.starts_with("u00") && spells(text, i + 3, byte)) after.push_back(i + 5);
  }
}

std::string hex_pair(char byte) {
  std::string expression;
  for (const char digit : fmt::format("{:02x}", static_cast<unsigned char>(byte))) {
    expression += digit >= 'a' ? fmt::format("[{}{}]", digit, static_cast<char>(digit - 32))
                               : std::string(1, digit);
  }
  return expression;
}

std::string literal(char byte) {
  if (is_alphanumeric(byte)) return std::string(1, byte);
  return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
}

std::string byte_expression(char byte, bool escapable) {
  std::string any = literal(byte);
  if (!escapable) return any;
  if (byte == ' ') any += "|\\+";
  const std::string pair = hex_pair(byte);
  any += fmt::format("|%(?:25){{0,3}}{}", pair);
  std::string escaped = "x" + pair;
  if (static_cast<unsigned char>(byte) < 0x80) escaped += "|u00" + pair;
  if (const char letter = after_backslash(byte); letter != 0) escaped += "|" + literal(letter);
  any += fmt::format("|\\\\{{1,{}}}(?:{})", kMaxBackslashes, escaped);
  return any;
}

void make_unique(std::vector<std::size_t>& places) {
  std::ranges::sort(places);
  places.erase(std::unique(places.begin(), places.end()), places.end());
  if (places.size() > kMaxPlaces) places.erase(places.begin(), places.end() - kMaxPlaces);
}

}  // namespace

std::vector<HeldForm> HeldForm::forms_of(std::string_view secret) {
  std::vector<HeldForm> forms;
  forms.push_back(plain(secret));
  forms.push_back(hexadecimal(secret));
  for (std::size_t alignment = 0; alignment < 3; ++alignment) {
    forms.push_back(base64(secret, alignment));
  }
  return forms;
}

HeldForm HeldForm::plain(std::string_view secret) {
  std::vector<Character> characters;
  for (const char byte : secret) characters.push_back({byte, byte});
  return {std::move(characters), Separators::kNone};
}

HeldForm HeldForm::hexadecimal(std::string_view secret) {
  std::vector<Character> characters;
  for (const char byte : secret) {
    for (const char digit : fmt::format("{:02x}", static_cast<unsigned char>(byte))) {
      const char upper = digit >= 'a' ? static_cast<char>(digit - 32) : digit;
      characters.push_back({digit, upper, false});
    }
  }
  return {std::move(characters), Separators::kHexadecimal};
}

// The characters that the secret alone determines, when `alignment` bytes of others stand before it
// in its group of three.
HeldForm HeldForm::base64(std::string_view secret, std::size_t alignment) {
  const std::string encoded = to_base64(std::string(alignment, '\0') + std::string(secret));
  const std::size_t begin = (alignment * 8 + 5) / 6;
  const std::size_t end = (alignment + secret.size()) * 8 / 6;
  std::vector<Character> characters;
  for (const char byte : encoded.substr(begin, end - begin)) {
    const char other = byte == '+' ? '-' : byte == '/' ? '_' : byte;
    characters.push_back({byte, other, !is_alphanumeric(byte)});
  }
  return {std::move(characters), Separators::kLineBreaks};
}

std::string HeldForm::expression(const Character& character) const {
  std::string any = byte_expression(character.plain, character.escapable);
  if (character.other != character.plain) {
    any += "|" + byte_expression(character.other, character.escapable);
  }
  return "(?:" + any + ")";
}

std::string HeldForm::separator_expression() const {
  switch (separators_) {
    case Separators::kNone:
      return "";
    case Separators::kLineBreaks:
      return fmt::format("(?:[\\r\\n]|%0[aAdD]|\\\\{{1,{}}}[rn]){{0,{}}}", kMaxBackslashes,
                         kMaxSeparators);
    case Separators::kHexadecimal:
      return fmt::format("[ :,\\-\\r\\n]{{0,{}}}", kMaxSeparators);
  }
  return "";
}

std::string HeldForm::beginning() const {
  std::string whole;
  for (std::size_t i = 0; i < std::min(kBeginning, characters_.size()); ++i) {
    if (i > 0) whole += separator_expression();
    whole += expression(characters_[i]);
  }
  return whole;
}

// The spellings of the kBeginning characters from `from` on.
void HeldForm::add_pieces(std::size_t from, std::vector<Piece>& pieces) const {
  const std::string_view separators[] = {"", ":", " ", "-", ",", ", "};
  for (const std::string_view separator : separators) {
    std::vector<std::string> texts = {""};
    for (std::size_t i = from; i < from + kBeginning; ++i) {
      const Character& character = characters_[i];
      // Between bytes, which are two digits each.
      if (i > from && i % 2 == 0) {
        for (std::string& text : texts) text += separator;
      }
      const bool is_space = separators_ == Separators::kNone && character.plain == ' ';
      const char other = is_space ? '+' : character.other;
      const std::size_t count = texts.size();
      const bool has_other = other != character.plain && separators_ != Separators::kHexadecimal;
      for (std::size_t t = 0; t < count; ++t) {
        if (has_other) texts.push_back(texts[t] + other);
        texts[t] += character.plain;
      }
    }
    for (std::string& text : texts) {
      pieces.push_back({std::move(text), from, separators_ == Separators::kHexadecimal});
    }
    if (separators_ != Separators::kHexadecimal) break;
  }
}

std::vector<HeldForm::Piece> HeldForm::pieces() const {
  std::vector<Piece> pieces;
  add_pieces(0, pieces);
  // A line break may stand within the first ones, and then none within these.
  if (separators_ == Separators::kLineBreaks) {
    add_pieces(std::min(kBeginning, characters_.size() - kBeginning), pieces);
  }
  return pieces;
}

bool HeldForm::may_begin(std::string_view text, std::size_t begin, std::size_t end) const {
  const std::size_t count = end - begin;
  if (count >= characters_.size() || !characters_[count].escapable) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const char byte = text[begin + i];
    const bool is_plus = byte == '+' && characters_[i].plain == ' ';
    if (byte != characters_[i].plain && byte != characters_[i].other && !is_plus) return false;
  }
  return true;
}

std::size_t HeldForm::max_length() const {
  std::size_t longest = 0;
  for (const Character& character : characters_) {
    longest += character.escapable ? kMaxBackslashes + 5 : 1;
  }
  if (separators_ != Separators::kNone) longest += characters_.size() * 3;
  return std::min(longest, kMaxMatch);
}

// Adds the places behind up to kMaxSeparators separators at each of the places.
void HeldForm::skip_separators(std::string_view text, std::vector<std::size_t>& places) const {
  if (separators_ == Separators::kNone) return;
  std::vector<std::size_t> edge = places;
  for (std::size_t round = 0; round < kMaxSeparators; ++round) {
    std::vector<std::size_t> next;
    for (const std::size_t at : edge) {
      if (at >= text.size()) continue;
      if (separators_ == Separators::kHexadecimal) {
        if (std::string_view(" :,-\r\n").contains(text[at])) next.push_back(at + 1);
        continue;
      }
      for (const char byte : {'\r', '\n'}) read_byte(text, at, byte, true, next);
    }
    places.insert(places.end(), next.begin(), next.end());
    edge = std::move(next);
  }
  make_unique(places);
}

std::size_t HeldForm::end_of(std::string_view text, std::size_t begin) const {
  text = text.substr(0, std::min(text.size(), begin + max_length()));
  std::vector<std::size_t> places = {begin};
  std::vector<std::size_t> next;
  for (std::size_t i = 0; i < characters_.size() && !places.empty(); ++i) {
    if (i > 0) skip_separators(text, places);
    const Character& character = characters_[i];
    next.clear();
    for (const std::size_t at : places) {
      read_byte(text, at, character.plain, character.escapable, next);
      if (character.other != character.plain) {
        read_byte(text, at, character.other, character.escapable, next);
      }
    }
    make_unique(next);
    places.swap(next);
  }
  return places.empty() ? begin : places.back();
}

}  // namespace agentsh::dlp
