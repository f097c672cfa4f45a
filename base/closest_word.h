// What was probably meant by a word that nobody knows: for errors that suggest.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace agentsh {

// The candidate that `word` is probably a misspelling of: within an edit distance (insert, delete,
// change, swap of neighbours; letter case is free) of a third of its length, or an unambiguous
// abbreviation. Nothing when none is near.
std::optional<std::string_view> closest_word(std::string_view word,
                                             std::span<const std::string_view> candidates);

}  // namespace agentsh
