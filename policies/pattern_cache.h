// For a command that many rules with args_patterns are about: those patterns as one automaton, made
// when the command is first judged and kept for the next time.
//
// Threads: any. Readers follow a list that is only ever added to; making an entry tries a mutex
// and, when it is taken or the cache is full, does without.
#pragma once

#include "policies/pattern.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace agentsh::policy {

class PatternCache {
 public:
  // The patterns of every rule, by rule. They must outlive the cache.
  explicit PatternCache(std::vector<std::span<const Pattern>> patterns_of_rules);
  ~PatternCache();
  PatternCache(const PatternCache&) = delete;
  PatternCache& operator=(const PatternCache&) = delete;

  // The first of `rules` that has a pattern which is found in `text` or, when it is not empty, in
  // `other_text`.
  std::optional<std::uint32_t> first_found(std::span<const std::uint32_t> rules,
                                           std::string_view text,
                                           std::string_view other_text) const;

 private:
  static constexpr std::size_t kFewRules = 4;  // They are tried one by one.
  static constexpr std::size_t kMaximumEntries = 256;
  static constexpr std::size_t kBuckets = 64;

  struct Entry {
    std::vector<std::uint32_t> rules;
    PatternSet set;
    std::vector<std::uint32_t> rule_of_pattern;
    const Entry* next;
  };
  const Entry* find(std::span<const std::uint32_t> rules) const;
  const Entry* make(std::span<const std::uint32_t> rules) const;
  bool found_in(std::uint32_t rule, std::string_view text) const;

  std::vector<std::span<const Pattern>> patterns_;
  mutable std::array<std::atomic<const Entry*>, kBuckets> buckets_{};
  mutable std::mutex growing_;  // Guards `entries_`.
  mutable std::vector<std::unique_ptr<const Entry>> entries_;
};

}  // namespace agentsh::policy
