// How far back a match could be open: given text that may go on, the first place from which the
// bytes up to its end could be the beginning of a match of some pattern.
//
// The patterns' shapes are run backwards from the end as one automaton. Its states are built as
// texts are seen (Cache, one for each thread that asks) and dropped when there are too many; a step
// is one look-up, and the run ends where nothing can be open any more, usually within a word.
#pragma once

#include "dlp/pattern_shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class OpenMatches {
 public:
  class Cache;

  OpenMatches() = default;
  // A pattern with its longest match.
  void add(const PatternShape& shape, std::size_t max_length);
  // A pattern of which nothing is known: it may be open anywhere within its longest match.
  void add_unknown(std::size_t max_length);
  // Call once, after the last pattern.
  void seal();

  // The smallest index at or after `floor` from which a match could be open at the text's end;
  // text.size() when none could. Bytes before `floor` are looked at for word boundaries.
  std::size_t open_from(std::string_view text, std::size_t floor, Cache& cache) const;

 private:
  friend class Cache;
  struct Position {
    ByteSet bytes;
    std::uint32_t previous_begin = 0;  // In previous_.
    std::uint32_t previous_end = 0;
    std::uint32_t max_length = 0;
    bool is_first = false;
    bool at_boundary = false;  // Begins a match only at a word's boundary.
  };
  std::vector<Position> positions_;
  std::vector<std::uint32_t> previous_;
  std::vector<std::uint32_t> start_;  // Positions that may have taken the last byte.
  std::size_t always_open_ = 0;
  std::array<std::uint8_t, 256> byte_class_ = {};
  std::vector<std::uint8_t> class_byte_;  // A byte of each class.
};

class OpenMatches::Cache {
 public:
  Cache() = default;

 private:
  friend class OpenMatches;
  static constexpr std::size_t kMaxStates = 1500;
  static constexpr std::uint32_t kUnknown = 0xffffffff;

  // What taking a byte means in a state.
  struct Step {
    std::uint32_t next = kUnknown;
    std::uint32_t begins = 0;              // A match no longer than this may begin with the byte,
    std::uint32_t begins_at_boundary = 0;  // or this, if the byte begins or ends a word.
  };
  struct State {
    std::vector<std::uint32_t> positions;
    std::uint32_t reach = 0;  // The longest match of any position.
  };

  void reset(const OpenMatches& automaton);
  std::uint32_t state_of(const OpenMatches& automaton, std::vector<std::uint32_t> positions);
  Step make_step(const OpenMatches& automaton, std::uint32_t from, std::uint8_t byte_class);

  std::vector<State> states_;
  std::vector<Step> steps_;  // By state and class of byte.
  std::map<std::vector<std::uint32_t>, std::uint32_t> index_;
};

}  // namespace agentsh::dlp
