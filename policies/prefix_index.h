// Internal to GlobIndex: the globs that are literal text followed (or, read backwards, preceded) by
// something simple: nothing, `*`, `**`, or a rest that many globs share.
//
// The text is hashed byte by byte; at each length that some glob's literal text has, the hash is
// looked up, first in a small filter and then in a table. So the cost depends on the text and on
// how many different lengths there are. Threads: immutable once built; any thread.
#pragma once

#include "policies/glob_program.h"
#include "policies/id_set.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

class PrefixIndex {
 public:
  // What stands on the far side of the literal text. Numbers from kShared on are the caller's.
  static constexpr std::uint32_t kEnd = 0;
  static constexpr std::uint32_t kStar = 1;
  static constexpr std::uint32_t kDoubleStar = 2;
  static constexpr std::uint32_t kShared = 3;

  struct Entry {
    std::string_view literal;  // In its natural order, whatever the direction.
    std::uint32_t rest;
    std::uint32_t id;
  };

  PrefixIndex() = default;
  PrefixIndex(std::vector<Entry> entries, Direction direction, std::uint32_t id_bound);

  bool empty() const { return nodes_.empty(); }

  // Calls found(rest, remaining text, ids) for every literal text that `text` begins (or, read
  // backwards, ends) with, and every rest that a glob has there.
  template <class Found>
  void find(std::string_view text, Found found) const {
    std::uint64_t hash = kSeed;
    std::size_t hashed = 0;
    for (std::uint32_t length : lengths_) {
      if (length > text.size()) return;
      for (; hashed < length; ++hashed) hash = step(hash, at(text, hashed));
      const std::uint64_t mixed = mix(hash);
      if ((filter_[mixed / 64 % filter_.size()] >> (mixed % 64) & 1) == 0) continue;
      const Node* node = look_up(mixed, text, length);
      if (node == nullptr) continue;
      const bool forwards = direction_ == Direction::kForwards;
      const std::string_view remaining =
          forwards ? text.substr(length) : text.substr(0, text.size() - length);
      for (std::uint32_t i = 0; i < node->rests; ++i) {
        const Rest& rest = rests_[node->first_rest + i];
        found(rest.rest, remaining, rest.ids);
      }
    }
  }

 private:
  static constexpr std::uint64_t kSeed = 0xcbf29ce484222325;

  struct Node {
    std::uint64_t hash;
    std::uint32_t text;  // Offset in texts_.
    std::uint32_t length;
    std::uint32_t first_rest;
    std::uint32_t rests;
  };
  struct Rest {
    std::uint32_t rest;
    IdSet ids;
  };

  static std::uint64_t step(std::uint64_t hash, char c) {
    return (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  static std::uint64_t mix(std::uint64_t hash) {
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
  }
  char at(std::string_view text, std::size_t index) const {
    return direction_ == Direction::kForwards ? text[index] : text[text.size() - 1 - index];
  }
  const Node* look_up(std::uint64_t hash, std::string_view text, std::uint32_t length) const;
  void insert(std::uint32_t node);

  Direction direction_ = Direction::kForwards;
  std::vector<std::uint32_t> lengths_;  // Sorted, without repeats.
  std::vector<std::uint64_t> filter_;   // A bit for each hash that is in the table.
  std::vector<std::uint32_t> table_;    // Open addressing: node + 1; 0 is free.
  std::vector<Node> nodes_;
  std::vector<Rest> rests_;
  std::string texts_;
};

}  // namespace agentsh::policy
