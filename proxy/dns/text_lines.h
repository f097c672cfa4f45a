// Lines of words, as hosts(5) and resolv.conf(5) are written.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace agentsh::dns {

// Calls `use(words)` for each line that has any, words being separated by blanks, after cutting the
// line at the first of `comment_marks`.
template <class Use>
void for_each_line(std::string_view text, std::string_view comment_marks, Use use) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find_first_of(comment_marks));
    std::vector<std::string_view> words;
    for (;;) {
      const std::size_t start = line.find_first_not_of(kBlanks);
      if (start == std::string_view::npos) break;
      line.remove_prefix(start);
      words.push_back(line.substr(0, line.find_first_of(kBlanks)));
      line.remove_prefix(words.back().size());
    }
    if (!words.empty()) use(words);
  }
}

}  // namespace agentsh::dns
