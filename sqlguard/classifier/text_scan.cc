#include "sqlguard/classifier/text_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace agentsh::sql {
namespace {

bool starts_name(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}
bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}
bool continues_name(unsigned char c) {
  return starts_name(c) || is_digit(c) || c == '$';
}
bool is_operator(char c) {
  return std::string_view("~!@#^&|`?+-*/%<>=").contains(c);
}
bool is_space(char c) {
  return std::string_view(" \t\n\r\f\v").contains(c);
}

bool same_word(std::string_view word, std::string_view lower) {
  return std::ranges::equal(word, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}
bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view w) { return same_word(word, w); });
}

// How deep the tree of what was read so far can be. One level per open parenthesis; in a level, the
// parts that commas, AND and OR separate stand side by side in the tree, while operators chain, and
// so do joins and set operations across those separators.
class DepthBound {
 public:
  DepthBound() { levels_.emplace_back(); }

  void read(const Token& token) {
    switch (token.kind) {
      case Token::Kind::kPunctuation:
        return punctuation(token.text[0]);
      case Token::Kind::kWord:
        return word(token.text);
      case Token::Kind::kOperator:
        return chain(static_cast<unsigned>(token.text.size()));
      default:
        return;
    }
  }
  unsigned depth() const { return deepest_; }

 private:
  struct Level {
    unsigned outer = 0;   // Of the levels around it.
    unsigned links = 0;   // Joins and set operations.
    unsigned chain = 0;   // Operators since the last separator.
    unsigned widest = 0;  // The longest chain before it.
    unsigned below = 0;   // The deepest closed parenthesis since then.
  };

  void punctuation(char c) {
    if (c == '(' || c == '[') {
      const Level& here = levels_.back();
      levels_.push_back({.outer = here.outer + here.links + here.chain + 1});
      chain(0);
    } else if ((c == ')' || c == ']') && levels_.size() > 1) {
      const Level closed = levels_.back();
      levels_.pop_back();
      Level& here = levels_.back();
      const unsigned inside = height(closed) + 1;
      here.below = std::max(here.below, inside);
      chain(c == ']' ? 1 : 0);
    } else if (c == ',') {
      separate();
    } else if (c == ';') {
      levels_.assign(1, {});
    } else if (c == ':') {
      chain(1);
    }
  }
  void word(std::string_view text) {
    switch (text.size()) {
      case 2:
        if (same_word(text, "or")) return separate();
        if (is_one_of(text, {"at", "is", "in"})) chain(1);
        return;
      case 3:
        if (same_word(text, "and")) return separate();
        if (same_word(text, "not")) chain(1);
        return;
      case 4:
        if (same_word(text, "join")) return link();
        if (is_one_of(text, {"case", "like", "when", "over"})) chain(1);
        return;
      default:
        if (is_one_of(text, {"union", "intersect", "except"})) return link();
        if (is_one_of(text, {"collate", "operator", "ilike", "similar", "between", "isnull",
                             "notnull", "overlaps", "escape"}))
          chain(1);
    }
  }
  void separate() {
    Level& here = levels_.back();
    here.widest = std::max(here.widest, here.chain);
    here.chain = 0;
  }
  void link() {
    ++levels_.back().links;
    separate();
    chain(0);
  }
  void chain(unsigned more) {
    Level& here = levels_.back();
    here.chain += more;
    deepest_ = std::max(deepest_, here.outer + height(here));
  }
  static unsigned height(const Level& level) {
    return level.links + std::max(level.chain, level.widest) + level.below;
  }

  std::vector<Level> levels_;
  unsigned deepest_ = 0;
};

}  // namespace

std::string_view TokenReader::take(std::size_t length) {
  const std::string_view taken = rest_.substr(0, length);
  rest_.remove_prefix(taken.size());
  return taken;
}

void TokenReader::skip_space() {
  while (!rest_.empty()) {
    if (is_space(rest_[0])) {
      rest_.remove_prefix(1);
    } else if (rest_.starts_with("--")) {
      rest_.remove_prefix(std::min(rest_.find_first_of("\r\n"), rest_.size()));
    } else if (rest_.starts_with("/*")) {
      std::size_t at = 2;
      unsigned open = 1;  // Comments nest.
      for (; at < rest_.size() && open > 0; ++at) {
        const std::string_view here = rest_.substr(at, 2);
        if (here == "/*")
          ++open, ++at;
        else if (here == "*/")
          --open, ++at;
      }
      rest_.remove_prefix(std::min(at, rest_.size()));
    } else {
      return;
    }
  }
}

// From the opening quote; a doubled quote is one inside.
std::string_view TokenReader::quoted(char quote, bool backslashes) {
  std::size_t at = rest_.find(quote) + 1;
  for (; at < rest_.size(); ++at) {
    if (backslashes && rest_[at] == '\\') {
      ++at;
    } else if (rest_[at] == quote) {
      if (at + 1 < rest_.size() && rest_[at + 1] == quote)
        ++at;
      else
        return take(at + 1);
    }
  }
  return take(rest_.size());
}

// $tag$...$tag$; empty when this dollar does not open one.
std::string_view TokenReader::dollar_quoted() {
  std::size_t end = 1;
  while (end < rest_.size() && rest_[end] != '$') {
    const auto c = static_cast<unsigned char>(rest_[end]);
    if (!starts_name(c) && !(end > 1 && is_digit(c))) return {};
    ++end;
  }
  if (end >= rest_.size()) return {};
  const std::string_view tag = rest_.substr(0, end + 1);
  const std::size_t close = rest_.find(tag, tag.size());
  return take(close == std::string_view::npos ? rest_.size() : close + tag.size());
}

Token TokenReader::next() {
  skip_space();
  if (rest_.empty()) return {};
  const char c = rest_[0];
  const std::string_view two = rest_.substr(0, 2);
  if (c == '\'') return {Token::Kind::kString, quoted('\'', false)};
  if (c == '"') return {Token::Kind::kQuotedName, quoted('"', false)};
  if (two == "e'" || two == "E'") return {Token::Kind::kString, quoted('\'', true)};
  if (two == "b'" || two == "B'" || two == "x'" || two == "X'" || two == "n'" || two == "N'")
    return {Token::Kind::kString, quoted('\'', false)};
  if (two == "u&" || two == "U&") {
    const std::string_view third = rest_.substr(2, 1);
    if (third == "'") return {Token::Kind::kString, quoted('\'', false)};
    if (third == "\"") return {Token::Kind::kQuotedName, quoted('"', false)};
  }
  if (c == '$') {
    if (const std::string_view text = dollar_quoted(); !text.empty())
      return {Token::Kind::kString, text};
  }
  std::size_t end = 1;
  if (starts_name(static_cast<unsigned char>(c))) {
    while (end < rest_.size() && continues_name(static_cast<unsigned char>(rest_[end]))) ++end;
    return {Token::Kind::kWord, take(end)};
  }
  if (is_digit(static_cast<unsigned char>(c))) {
    while (end < rest_.size() &&
           (continues_name(static_cast<unsigned char>(rest_[end])) || rest_[end] == '.'))
      ++end;
    return {Token::Kind::kNumber, take(end)};
  }
  if (is_operator(c)) {
    // An operator ends where a comment begins.
    while (end < rest_.size() && is_operator(rest_[end]) && rest_.substr(end, 2) != "--" &&
           rest_.substr(end, 2) != "/*")
      ++end;
    return {Token::Kind::kOperator, take(end)};
  }
  return {Token::Kind::kPunctuation, take(1)};
}

bool has_plain_backslash(std::string_view text) {
  if (!text.contains('\\')) return false;
  TokenReader tokens(text);
  for (Token token = tokens.next(); token.kind != Token::Kind::kEnd; token = tokens.next()) {
    if (token.kind != Token::Kind::kString || !token.text.contains('\\')) continue;
    const char prefix = token.text[0];
    if (prefix != 'e' && prefix != 'E' && prefix != '$') return true;
  }
  return false;
}

Result<> check_limits(std::string_view text, TextLimits limits) {
  if (text.size() > limits.bytes)
    return fail(fmt::format("the text is {} bytes long, more than {}", text.size(), limits.bytes));
  if (text.contains('\0')) return fail("the text holds a NUL byte");
  // What is short cannot be deep.
  if (text.size() < limits.depth) return {};
  TokenReader tokens(text);
  DepthBound bound;
  for (Token token = tokens.next(); token.kind != Token::Kind::kEnd; token = tokens.next()) {
    bound.read(token);
    if (bound.depth() > limits.depth)
      return fail(fmt::format("the statement is nested more than {} deep", limits.depth));
  }
  return {};
}

}  // namespace agentsh::sql
