#include "policies/glob.h"

#include <fmt/format.h>

#include <optional>

namespace agentsh::policy {
namespace {

using Tokens = std::vector<GlobToken>;

// A recursive-descent parser; recursion is bounded by Glob::kMaximumNesting.
class Parser {
 public:
  Parser(std::string_view pattern, char separator) : pattern_(pattern), separator_(separator) {}

  Result<Tokens> parse() {
    Tokens tokens = sequence(0);
    if (!error_.empty()) return fail(error_);
    return tokens;
  }

 private:
  bool at_end() const { return position_ >= pattern_.size(); }
  char peek() const { return pattern_[position_]; }
  bool failed() const { return !error_.empty(); }

  void wrong(std::size_t where, std::string_view what) {
    if (!failed()) error_ = fmt::format("{} at {} {}", pattern_[where], where + 1, what);
  }

  // Tokens up to the end or, inside braces, up to the next "," or "}".
  Tokens sequence(int depth) {
    Tokens tokens;
    while (!at_end() && !failed()) {
      const char c = peek();
      if (depth > 0 && (c == ',' || c == '}')) break;
      next_token(c, depth, tokens);
    }
    return tokens;
  }

  void next_token(char c, int depth, Tokens& tokens) {
    switch (c) {
      case '*':
        stars(tokens);
        break;
      case '?':
        ++position_;
        tokens.push_back(any_character());
        break;
      case '[':
        character_class(tokens);
        break;
      case '{':
        choice(depth, tokens);
        break;
      case '\\':
        if (position_ + 1 >= pattern_.size()) return wrong(position_, "escapes nothing");
        ++position_;
        [[fallthrough]];
      default:
        append_text(tokens, peek());
        ++position_;
    }
  }

  static void append_text(Tokens& tokens, char c) {
    if (tokens.empty() || tokens.back().kind != GlobToken::Kind::kText) {
      tokens.push_back({.kind = GlobToken::Kind::kText});
    }
    tokens.back().text += c;
  }

  void stars(Tokens& tokens) {
    std::size_t count = 0;
    for (; !at_end() && peek() == '*'; ++position_) ++count;
    tokens.push_back({.kind = count == 1 ? GlobToken::Kind::kStar : GlobToken::Kind::kDoubleStar});
  }

  GlobToken any_character() const {
    GlobToken token{.kind = GlobToken::Kind::kCharacter};
    token.ascii.set();
    if (separator_ != kNoSeparator) token.ascii.reset(static_cast<unsigned char>(separator_));
    token.non_ascii = true;
    return token;
  }

  // One character of a class, escapes resolved; nothing where the class ends or is broken.
  std::optional<unsigned char> class_character(std::size_t open) {
    if (!at_end() && peek() == '\\') ++position_;
    if (at_end()) {
      wrong(open, "is not closed");
      return {};
    }
    const auto byte = static_cast<unsigned char>(peek());
    if (byte >= 0x80) {
      wrong(open, "holds a character that is not ASCII; write {é,è} for such a choice");
      return {};
    }
    ++position_;
    return byte;
  }

  void character_class(Tokens& tokens) {
    const std::size_t open = position_++;
    GlobToken token{.kind = GlobToken::Kind::kCharacter};
    if (!at_end() && peek() == '^') return wrong(position_, "in a class is written !");
    const bool negated = !at_end() && peek() == '!';
    if (negated) ++position_;
    bool any = false;
    while (!failed() && !at_end() && peek() != ']') {
      add_range(open, token.ascii);
      any = true;
    }
    if (at_end()) return wrong(open, "is not closed");
    if (!any) return wrong(open, "is an empty class");
    ++position_;
    if (negated) token.ascii.flip();
    token.non_ascii = negated;
    if (separator_ != kNoSeparator) token.ascii.reset(static_cast<unsigned char>(separator_));
    tokens.push_back(std::move(token));
  }

  // "a" or "a-z".
  void add_range(std::size_t open, std::bitset<128>& characters) {
    auto low = class_character(open);
    if (!low) return;
    unsigned char high = *low;
    const bool range =
        position_ + 1 < pattern_.size() && peek() == '-' && pattern_[position_ + 1] != ']';
    if (range) {
      ++position_;
      auto end = class_character(open);
      if (!end) return;
      high = *end;
      if (high < *low) return wrong(open, "has a range that ends before it starts");
    }
    for (unsigned c = *low; c <= high; ++c) characters.set(c);
  }

  void choice(int depth, Tokens& tokens) {
    const std::size_t open = position_++;
    if (depth >= Glob::kMaximumNesting) return wrong(open, "is nested too deep");
    GlobToken token{.kind = GlobToken::Kind::kChoice};
    while (!failed()) {
      token.choices.push_back(sequence(depth + 1));
      if (at_end()) return wrong(open, "is not closed");
      const char end = peek();
      ++position_;
      if (end == '}') break;
    }
    tokens.push_back(std::move(token));
  }

  std::string_view pattern_;
  char separator_;
  std::size_t position_ = 0;
  std::string error_;
};

}  // namespace

Result<Glob> Glob::parse(std::string_view pattern, char separator) {
  if (pattern.size() > kMaximumLength) {
    return fail(fmt::format("is longer than {} bytes", kMaximumLength));
  }
  auto tokens = Parser(pattern, separator).parse();
  if (!tokens) return std::unexpected(tokens.error());
  Glob glob;
  glob.pattern_ = std::string(pattern);
  glob.separator_ = separator;
  glob.tokens_ = std::move(*tokens);
  return glob;
}

Glob Glob::literal(std::string_view text) {
  Glob glob;
  glob.pattern_ = escape_glob(text);
  if (!text.empty()) {
    glob.tokens_.push_back({.kind = GlobToken::Kind::kText, .text = std::string(text)});
  }
  return glob;
}

bool Glob::is_literal() const {
  return tokens_.empty() || (tokens_.size() == 1 && tokens_.front().kind == GlobToken::Kind::kText);
}

std::string_view Glob::literal_prefix() const {
  if (tokens_.empty() || tokens_.front().kind != GlobToken::Kind::kText) return {};
  return tokens_.front().text;
}

std::string_view Glob::literal_suffix() const {
  if (tokens_.empty() || tokens_.back().kind != GlobToken::Kind::kText) return {};
  return tokens_.back().text;
}

bool Glob::is_lone_star() const {
  return tokens_.size() == 1 && (tokens_.front().kind == GlobToken::Kind::kStar ||
                                 tokens_.front().kind == GlobToken::Kind::kDoubleStar);
}

std::string escape_glob(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    if (std::string_view("*?[]{},\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace agentsh::policy
