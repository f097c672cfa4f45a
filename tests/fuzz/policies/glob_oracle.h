// A slow, obvious matcher for globs, to compare the real one with: braces are expanded as text, and
// what remains is tried by backtracking. It assumes that Glob::parse accepts the pattern, and that
// neither pattern nor text holds the byte 0x01, which it uses itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy::oracle {

// The brace-free globs that `pattern` stands for; empty when there would be more than `limit`.
std::vector<std::string> expand_braces(std::string_view pattern, std::size_t limit);

// Does the brace-free `pattern` match all of `text`? `steps` bounds the work; at 0 the answer is
// meaningless.
bool matches_plain(std::string_view pattern, std::string_view text, char separator,
                   std::size_t& steps);

enum class Answer { kNo, kYes, kTooMuchWork };
Answer matches(std::string_view pattern, std::string_view text, char separator);

}  // namespace agentsh::policy::oracle
