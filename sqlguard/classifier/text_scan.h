// A look at SQL text before it is parsed: libpg_query has no limit of its own on how deep a tree
// may be (a chain of a few hundred thousand operators overruns its stack), so what could make one
// deep is counted first, without recursion.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace agentsh::sql {

struct TextLimits {
  std::size_t bytes = 1 << 20;
  unsigned depth = 2500;  // Of the parse tree.
};

// Nothing when the text is within the limits; else a sentence that says which it exceeds. A text
// that holds a NUL byte is refused too: the server would read less of it than we do.
Result<> check_limits(std::string_view text, TextLimits limits = {});

// Does a string without E hold a backslash? Redshift, CockroachDB's b'' and sessions with
// standard_conforming_strings off then read another text than the parser here.
bool has_plain_backslash(std::string_view text);

// The tokens of PostgreSQL's lexer, as far as a reader without the grammar needs them.
struct Token {
  enum class Kind { kEnd, kWord, kQuotedName, kString, kNumber, kOperator, kPunctuation };
  Kind kind = Kind::kEnd;
  std::string_view text;  // As written, quotes included.
};

class TokenReader {
 public:
  explicit TokenReader(std::string_view text) : rest_(text) {}
  // The next token; kEnd at the end. Comments and white space are passed over. What is not closed
  // ends with the text.
  Token next();

 private:
  void skip_space();
  std::string_view take(std::size_t length);
  std::string_view quoted(char quote, bool backslashes);
  std::string_view dollar_quoted();

  std::string_view rest_;
};

}  // namespace agentsh::sql
