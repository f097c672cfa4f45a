// From where on a match could be open: given text that goes on, the first place from which the
// bytes up to its end could be the beginning of a match of some pattern.
//
// All patterns' shapes are followed byte by byte, each beginning that is still possible as a thread
// (a position in a shape, and where it began). Hundreds of patterns begin with any given byte and
// few go on with the next, so threads are made for two bytes at once, from a table that fills as
// pairs are seen. It costs tens of nanoseconds a byte and is meant for text that comes in small
// pieces; for large ones whoever asks holds back longest() bytes instead.
//
// Threads: immutable after seal(); each stream has its own Threads and uses a Scratch of its own
// while it advances.
#pragma once

#include "dlp/pattern_shape.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
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

  // What could be open at the end of what was followed so far.
  class Threads {
   private:
    friend class OpenMatches;
    struct Thread {
      std::uint32_t node = 0;
      std::uint64_t begin = 0;  // Offset of the first byte.
    };
    std::vector<Thread> running_;  // Of two bytes and more.
    // The last byte, with which matches may begin.
    std::uint64_t last_at_ = 0;
    std::uint8_t last_ = 0;
    bool last_at_boundary_ = false;
    bool has_last_ = false;
  };
  // Room to work in.
  class Scratch {
   private:
    friend class OpenMatches;
    std::vector<std::uint32_t> place_;  // By node: its index in next_,
    std::vector<std::uint64_t> stamp_;  // if this is the current step.
    std::uint64_t step_ = 0;
    std::vector<Threads::Thread> next_;
    // Nodes that two bytes lead to: anywhere, and at a word's boundary only.
    struct Pair {
      std::vector<std::uint32_t> anywhere;
      std::vector<std::uint32_t> at_boundary;
    };
    // By first byte, then by the second.
    std::array<std::vector<std::unique_ptr<Pair>>, 256> pairs_;
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
  bool may_begin(std::uint8_t byte) const {
    return !begins_[byte].empty() || !begins_at_boundary_[byte].empty();
  }
  const Scratch::Pair& pair(std::uint8_t first, std::uint8_t second, Scratch& scratch) const;
  void add_second(const std::vector<std::uint32_t>& begins, std::uint8_t second,
                  std::vector<std::uint32_t>& nodes) const;

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> next_;
  std::array<std::vector<std::uint32_t>, 256> begins_;              // By first byte: anywhere,
  std::array<std::vector<std::uint32_t>, 256> begins_at_boundary_;  // or at a word's boundary.
  std::size_t always_open_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace agentsh::dlp
