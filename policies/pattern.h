// Regular expressions of policies: RE2 syntax, linear time, no look-around. Matching is on bytes
// and `.` matches every byte, line breaks and bytes that are not UTF-8 included, so that an odd
// byte in an argument does not get it past a rule.
//
// Threads: immutable after compile(); any thread may match.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace agentsh::policy {

class Pattern {
 public:
  // Fails with RE2's own sentence about what is wrong, for instance "missing ): (a".
  static Result<Pattern> compile(std::string_view expression);

  // True when the expression matches anywhere in `text`.
  bool found_in(std::string_view text) const;
  const std::string& text() const;

 private:
  friend class PatternSet;
  explicit Pattern(std::shared_ptr<const re2::RE2> regex) : regex_(std::move(regex)) {}
  std::shared_ptr<const re2::RE2> regex_;
};

// Many patterns matched in one pass over the text.
class PatternSet {
 public:
  explicit PatternSet(std::vector<Pattern> patterns);
  ~PatternSet();
  PatternSet(PatternSet&&) noexcept;
  PatternSet& operator=(PatternSet&&) noexcept;

  // Index of the first pattern, in the order given, that is found in `text`.
  std::optional<std::size_t> first_found_in(std::string_view text) const;
  std::size_t size() const { return patterns_.size(); }

 private:
  struct Automaton;
  std::vector<Pattern> patterns_;
  std::unique_ptr<const Automaton> automaton_;  // Null for few patterns: they are tried in turn.
};

// The expression that the author of a glob in place of an expression probably meant ("*-rf*" ->
// ".*-rf.*"), if it is one.
std::optional<std::string> expression_for_glob(std::string_view glob);

}  // namespace agentsh::policy
