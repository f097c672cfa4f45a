#include "policies/pattern.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

constexpr std::size_t kFewPatterns = 4;

re2::RE2::Options options(std::int64_t memory) {
  re2::RE2::Options result;
  result.set_log_errors(false);
  result.set_encoding(re2::RE2::Options::EncodingLatin1);
  result.set_dot_nl(true);
  result.set_max_mem(memory);
  return result;
}

constexpr std::int64_t kPatternMemory = 1 << 20;
constexpr std::int64_t kSetMemory = 16 << 20;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view expression) {
  auto regex = std::make_shared<const re2::RE2>(piece(expression), options(kPatternMemory));
  if (!regex->ok()) return fail(regex->error());
  return Pattern(std::move(regex));
}

bool Pattern::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(piece(text), *regex_);
}

const std::string& Pattern::text() const {
  return regex_->pattern();
}

struct PatternSet::Automaton {
  re2::RE2::Set set{options(kSetMemory), re2::RE2::UNANCHORED};
};

PatternSet::PatternSet(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {
  if (patterns_.size() <= kFewPatterns) return;
  auto automaton = std::make_unique<Automaton>();
  for (const Pattern& pattern : patterns_) {
    if (automaton->set.Add(piece(pattern.text()), nullptr) < 0) return;
  }
  if (automaton->set.Compile()) automaton_ = std::move(automaton);
}

PatternSet::~PatternSet() = default;
PatternSet::PatternSet(PatternSet&&) noexcept = default;
PatternSet& PatternSet::operator=(PatternSet&&) noexcept = default;

std::optional<std::size_t> PatternSet::first_found_in(std::string_view text) const {
  if (automaton_ != nullptr) {
    std::vector<int> found;
    re2::RE2::Set::ErrorInfo error{};
    if (automaton_->set.Match(piece(text), &found, &error)) {
      return static_cast<std::size_t>(*std::ranges::min_element(found));
    }
    if (error.kind == re2::RE2::Set::kNoError) return {};
    // The automaton ran out of its memory: the patterns one by one still answer.
  }
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (patterns_[i].found_in(text)) return i;
  }
  return {};
}

std::optional<std::string> expression_for_glob(std::string_view glob) {
  if (glob.find_first_of("*?") == std::string_view::npos) return {};
  std::string expression;
  for (char c : glob) {
    if (c == '*') {
      if (!expression.ends_with(".*")) expression += ".*";
    } else if (c == '?') {
      expression += '.';
    } else if (std::string_view("\\^$.|+()[]{}").find(c) != std::string_view::npos) {
      expression += '\\';
      expression += c;
    } else {
      expression += c;
    }
  }
  if (!Pattern::compile(expression)) return {};
  return expression;
}

}  // namespace agentsh::policy
