// From where on a match could be open: given text that goes on, the first place from which the
// bytes up to its end could be the beginning of a match of some pattern.
//
// All patterns' shapes are followed byte by byte, each beginning that is still possible as a thread
// (a position in a shape, and where it began): few at a time, since most beginnings fail at the
// second byte. It costs about 100 ns a byte, so it is meant for text that comes in small pieces;
// for large ones whoever asks holds back longest() bytes instead.
//
// Threads: immutable after seal(); each stream has its own Threads and uses a Scratch of its own
// while it advances.
#pragma once

#include "dlp/pattern_shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class OpenMatches {
 public:
  // A pattern with its longest match.
  void add(const PatternShape& shape, std::size_t max_length);
  // A pattern of which nothing is known: it may be open anywhere within its longest match.
  void add_unknown(std::size_t max_length);
  // Call once, after the last pattern.
  void seal();
  // The longest match of any pattern.
  std::size_t longest() const { return longest_; }

  struct Thread {
    std::uint32_t node = 0;
    std::uint64_t begin = 0;  // Offset of the first byte.
  };
  using Threads = std::vector<Thread>;
  // Room to work in.
  struct Scratch {
    std::vector<std::uint32_t> place;  // By node: its index in `next` in this step, plus a stamp.
    std::vector<std::uint64_t> stamp;
    std::uint64_t step = 0;
    Threads next;
  };

  // Follows `threads` over text[from...]; `origin` is the offset of text[0], bytes before `from`
  // are looked at for word boundaries.
  void advance(Threads& threads, std::string_view text, std::size_t from, std::uint64_t origin,
               Scratch& scratch) const;
  // The first offset from which a match could be open when the text ends at `end` for now.
  std::uint64_t open_from(const Threads& threads, std::uint64_t end) const;

 private:
  struct Node {
    ByteSet bytes;
    std::uint32_t next_begin = 0;  // In next_.
    std::uint32_t next_end = 0;
    std::uint32_t max_length = 0;
    bool is_open = false;
  };
  void step_into(std::uint32_t node, std::uint64_t begin, Scratch& scratch) const;

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> next_;
  std::array<std::vector<std::uint32_t>, 256> begins_;              // By first byte: anywhere,
  std::array<std::vector<std::uint32_t>, 256> begins_at_boundary_;  // or at a word's boundary.
  std::size_t always_open_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace agentsh::dlp
