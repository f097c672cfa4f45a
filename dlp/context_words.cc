#include "dlp/context_words.h"

#include <algorithm>
#include <string>

namespace agentsh::dlp {
namespace {

bool is_alphanumeric(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || (byte & 0x80) != 0;
}

char lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
}

// `before` and `after` are the bytes beside the range that is searched.
bool contains_word(std::string_view text, Range range, std::string_view word) {
  const auto text_begin = text.begin() + static_cast<std::ptrdiff_t>(range.begin);
  const auto text_end = text.begin() + static_cast<std::ptrdiff_t>(range.end);
  auto from = text_begin;
  while (true) {
    const auto found = std::search(from, text_end, word.begin(), word.end(),
                                   [](char a, char b) { return lower(a) == b; });
    if (found == text_end) return false;
    const auto behind = found + static_cast<std::ptrdiff_t>(word.size());
    const bool begins =
        found == text.begin() || !is_alphanumeric(*(found - 1)) || !is_alphanumeric(word.front());
    const bool ends =
        behind == text.end() || !is_alphanumeric(*behind) || !is_alphanumeric(word.back());
    if (begins && ends) return true;
    from = found + 1;
  }
}

}  // namespace

bool has_context_word(const ContextRule& rule, std::string_view text, Range match) {
  const std::size_t begin = match.begin - std::min(match.begin, rule.before);
  const std::size_t end = match.end + std::min(text.size() - match.end, rule.after);
  return std::ranges::any_of(rule.words, [&](const std::string& word) {
    return contains_word(text, {begin, match.begin}, word) ||
           (rule.after > 0 && contains_word(text, {match.end, end}, word));
  });
}

}  // namespace agentsh::dlp
