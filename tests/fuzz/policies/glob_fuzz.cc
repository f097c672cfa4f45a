// Globs against a matcher that is too simple to be wrong. Input: a byte that picks the separator
// and how much memory the automata have, then globs, one a line, an empty line, then texts.
#include "policies/glob.h"
#include "policies/glob_cover.h"
#include "policies/glob_index.h"
#include "tests/fuzz/policies/glob_oracle.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace agentsh::policy;

constexpr std::size_t kMostGlobs = 12;
constexpr std::size_t kMostTexts = 8;

std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

void check(const std::vector<GlobIndex::Entry>& entries, const GlobIndex& index,
           std::string_view text) {
  const auto match = index.match(text);
  Selector found;
  match.add_to(found);
  std::vector<bool> expected(entries.size());
  for (const auto& entry : entries) {
    const auto answer = oracle::matches(entry.glob.pattern(), text, entry.glob.separator());
    if (answer == oracle::Answer::kTooMuchWork) return;
    expected[entry.id] = answer == oracle::Answer::kYes;
    if (found.contains(entry.id) != expected[entry.id]) std::abort();
  }
  for (const auto& wider : entries) {
    for (const auto& narrower : entries) {
      if (expected[narrower.id] && !expected[wider.id] && glob_covers(wider.glob, narrower.glob)) {
        std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 2048) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  if (rest.contains('\x01')) return 0;  // The oracle's own.
  const unsigned choice = data[0];
  rest.remove_prefix(1);
  constexpr char kSeparators[] = {'/', '.', kNoSeparator};
  const char separator = kSeparators[choice % 3];
  std::vector<GlobIndex::Entry> entries;
  while (!rest.empty() && entries.size() < kMostGlobs) {
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    auto glob = Glob::parse(line, separator);
    if (!glob) continue;
    entries.push_back({std::move(*glob), static_cast<std::uint32_t>(entries.size())});
  }
  const auto bound = static_cast<std::uint32_t>(entries.size());
  const std::size_t memory = choice / 3 % 2 == 0 ? 1 << 20 : 500;
  const GlobIndex index(entries, bound, {.automaton_bytes = memory});
  for (std::size_t i = 0; i < kMostTexts && !rest.empty(); ++i) {
    check(entries, index, next_line(rest));
  }
  return 0;
}
