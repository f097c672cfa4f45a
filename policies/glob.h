// Globs of policies, parsed. The language, with a separator ('/' for paths, '.' for host names, or
// none):
//
//   *        any bytes but the separator          **       any bytes
//   ?        one character but the separator      \x       the character x
//   [abc] [a-z] [!a-z]   one ASCII character of, or (with !) any character not of, a class;
//                        never the separator
//   {a,b*}   one of several patterns; they nest, and may be empty
//
// A glob matches the whole text. `dir/**` does not match `dir`; `**/x` does not match `x`. A
// character is what UTF-8 makes one; bytes that are not UTF-8 count singly. Matching many globs at
// once is glob_index.h's.
#pragma once

#include "base/result.h"

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

inline constexpr char kNoSeparator = '\0';

struct GlobToken {
  enum class Kind { kText, kStar, kDoubleStar, kCharacter, kChoice };
  Kind kind;
  std::string text;        // kText.
  std::bitset<128> ascii;  // kCharacter: the ASCII characters that match, separator excluded.
  bool non_ascii = false;  // kCharacter: does every other character match too?
  std::vector<std::vector<GlobToken>> choices;  // kChoice.
};

class Glob {
 public:
  static constexpr std::size_t kMaximumLength = 4096;
  static constexpr int kMaximumNesting = 16;

  // Fails with what is wrong and where ("[ at 5 is not closed").
  static Result<Glob> parse(std::string_view pattern, char separator);
  // A glob that matches exactly `text`.
  static Glob literal(std::string_view text);

  const std::string& pattern() const { return pattern_; }
  char separator() const { return separator_; }
  const std::vector<GlobToken>& tokens() const { return tokens_; }

  // Has it no wildcards? Then it matches literal_prefix() and nothing else.
  bool is_literal() const;
  // The text before the first wildcard, and after the last.
  std::string_view literal_prefix() const;
  std::string_view literal_suffix() const;
  // A lone `*` or `**` (or `**` times several).
  bool is_lone_star() const;

 private:
  std::string pattern_;
  char separator_ = kNoSeparator;
  std::vector<GlobToken> tokens_;
};

// `text` with every character that means something in a glob escaped.
std::string escape_glob(std::string_view text);

}  // namespace agentsh::policy
