#include "tests/fuzz/policies/glob_oracle.h"

namespace agentsh::policy::oracle {
namespace {

// Stands where braces were, and matches nothing: stars on both sides of it stay apart.
constexpr char kJoint = '\x01';

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Length of the class that `pattern` begins with ("[...]").
std::size_t class_length(std::string_view pattern) {
  std::size_t i = 1;
  while (i < pattern.size() && pattern[i] != ']') i += pattern[i] == '\\' ? 2 : 1;
  return i + 1;
}

struct ClassAnswer {
  bool matches;
  bool negated;
};

ClassAnswer class_matches(std::string_view inside, unsigned char byte) {
  const bool negated = inside.starts_with('!');
  if (negated) inside.remove_prefix(1);
  const auto next = [&inside] {
    if (inside.front() == '\\') inside.remove_prefix(1);
    const auto c = static_cast<unsigned char>(inside.front());
    inside.remove_prefix(1);
    return c;
  };
  bool found = false;
  while (!inside.empty()) {
    const unsigned char low = next();
    unsigned char high = low;
    if (inside.size() >= 2 && inside.front() == '-') {
      inside.remove_prefix(1);
      high = next();
    }
    found |= byte >= low && byte <= high;
  }
  return {found != negated, negated};
}

// After a first byte, any number of continuation bytes belong to the character.
bool after_character(std::string_view rest, std::string_view text, char separator,
                     std::size_t& steps) {
  while (true) {
    if (matches_plain(rest, text, separator, steps)) return true;
    if (steps == 0 || text.empty() || !is_continuation(text.front())) return false;
    text.remove_prefix(1);
  }
}

bool single(std::string_view pattern, std::string_view text, char separator, std::size_t& steps) {
  if (text.empty()) return false;
  const char c = text.front();
  const bool separates = separator != '\0' && c == separator;
  const bool ascii = static_cast<unsigned char>(c) < 0x80;
  const std::string_view after = text.substr(1);
  if (pattern.front() == '?') {
    if (separates || is_continuation(c)) return false;
    return after_character(pattern.substr(1), after, separator, steps);
  }
  if (pattern.front() == '[') {
    const std::size_t length = class_length(pattern);
    const auto answer = class_matches(pattern.substr(1, length - 2), static_cast<unsigned char>(c));
    if (separates || is_continuation(c)) return false;
    const std::string_view rest = pattern.substr(length);
    if (!answer.negated) {
      return ascii && answer.matches && matches_plain(rest, after, separator, steps);
    }
    return (!ascii || answer.matches) && after_character(rest, after, separator, steps);
  }
  if (pattern.front() == '\\') pattern.remove_prefix(1);
  return pattern.front() == c && matches_plain(pattern.substr(1), after, separator, steps);
}

void expand(std::string_view before, std::string_view pattern, std::size_t limit,
            std::vector<std::string>& out) {
  std::size_t i = 0;
  while (i < pattern.size() && pattern[i] != '{') {
    if (pattern[i] == '[') {
      i += class_length(pattern.substr(i));
    } else {
      i += pattern[i] == '\\' ? 2 : 1;
    }
  }
  if (out.size() > limit) return;
  if (i >= pattern.size()) {
    out.push_back(std::string(before) + std::string(pattern));
    return;
  }
  std::string head = std::string(before) + std::string(pattern.substr(0, i));
  std::vector<std::string_view> choices;
  std::size_t start = i + 1;
  int depth = 1;
  std::size_t j = start;
  while (depth > 0) {
    const char c = pattern[j];
    if (c == '\\') {
      j += 2;
      continue;
    }
    if (c == '[') {
      j += class_length(pattern.substr(j));
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if ((c == ',' && depth == 1) || depth == 0) {
      choices.push_back(pattern.substr(start, j - start));
      start = j + 1;
    }
    ++j;
  }
  for (std::string_view choice : choices) {
    expand(head + kJoint, std::string(choice) + kJoint + std::string(pattern.substr(j)), limit,
           out);
  }
}

}  // namespace

std::vector<std::string> expand_braces(std::string_view pattern, std::size_t limit) {
  std::vector<std::string> out;
  expand("", pattern, limit, out);
  if (out.size() > limit) out.clear();
  return out;
}

bool matches_plain(std::string_view pattern, std::string_view text, char separator,
                   std::size_t& steps) {
  if (steps == 0) return false;
  --steps;
  if (pattern.starts_with(kJoint)) {
    return matches_plain(pattern.substr(1), text, separator, steps);
  }
  if (pattern.empty()) return text.empty();
  if (pattern.front() != '*') return single(pattern, text, separator, steps);
  const std::size_t end = pattern.find_first_not_of('*');
  const std::size_t stars = end == std::string_view::npos ? pattern.size() : end;
  const std::string_view rest = pattern.substr(stars);
  while (true) {
    if (matches_plain(rest, text, separator, steps)) return true;
    if (steps == 0 || text.empty()) return false;
    if (stars == 1 && separator != '\0' && text.front() == separator) return false;
    text.remove_prefix(1);
  }
}

Answer matches(std::string_view pattern, std::string_view text, char separator) {
  std::size_t steps = 200'000;
  const auto patterns = expand_braces(pattern, 256);
  if (patterns.empty()) return Answer::kTooMuchWork;
  bool found = false;
  for (const std::string& plain : patterns) {
    found |= matches_plain(plain, text, separator, steps);
    if (steps == 0) return Answer::kTooMuchWork;
  }
  return found ? Answer::kYes : Answer::kNo;
}

}  // namespace agentsh::policy::oracle
