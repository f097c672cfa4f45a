// What a pattern is made of, seen as bytes that follow each other: enough to tell whether a text
// that ends somewhere could be the beginning of a match (open_matches.h) and how long a match gets.
//
// It is the position automaton (Glushkov) of the pattern with most repetitions taken as "any number
// of times" (only short ones of single classes are counted), so it accepts what the pattern accepts
// and more: whoever holds text back by it holds enough. Assertions (\b, ^, $) are taken as true,
// but for a \b at the very beginning.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

using ByteSet = std::bitset<256>;

inline constexpr std::size_t kUnboundedWidth = std::numeric_limits<std::size_t>::max();

struct PatternShape {
  struct Position {
    ByteSet bytes;
    std::vector<std::uint32_t> previous;  // Positions that may stand before this one.
    bool is_first = false;                // A match may begin here,
    bool is_last = false;                 // or end.
    // Having reached it, a match may still need a byte, or the sight of the next one.
    bool is_open = false;
  };
  std::vector<Position> positions;
  // Sets of positions of which every match goes through one: where its parts begin.
  std::vector<std::vector<std::uint32_t>> gates;
  std::size_t min_width = 0;
  std::size_t max_width = 0;        // kUnboundedWidth when there is no bound.
  bool begins_at_boundary = false;  // Every match begins with \b.
};

// The shape of the same followed by any bytes.
void go_on(PatternShape& shape);

// Nothing for syntax beyond what catalogue/README.md lists: the pattern may still be good, but
// nothing is known of it.
std::optional<PatternShape> shape_of(std::string_view pattern);

}  // namespace agentsh::dlp
