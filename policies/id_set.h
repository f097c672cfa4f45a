// Sets of rules by number, and the first of some candidates that passes every check: the core of
// every decision. A selector is a union of sets ("rules without ports" and "rules with port 443").
// Candidates are chosen so that there are few, whatever the number of rules: those that a name, an
// address or a path led to.
//
// Threads: immutable once built; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace agentsh::policy {

// A set of numbers below a bound, kept sorted, and as bits too when it is large. A few numbers are
// kept in the object itself, because each look elsewhere may be a cache miss.
class IdSet {
 public:
  IdSet() = default;
  // `ids` in any order, repeats allowed; all below `bound`.
  IdSet(std::vector<std::uint32_t> ids, std::uint32_t bound);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::span<const std::uint32_t> ids() const {
    return size_ <= kInside ? std::span(inside_.data(), size_) : std::span(outside_);
  }
  bool contains(std::uint32_t id) const {
    if (!bits_.empty()) {
      const std::size_t word = id / 64;
      return word < bits_.size() && (bits_[word] >> (id % 64) & 1) != 0;
    }
    return std::ranges::binary_search(ids(), id);
  }

 private:
  static constexpr std::size_t kInside = 3;
  std::uint32_t size_ = 0;
  std::array<std::uint32_t, kInside> inside_{};
  std::vector<std::uint32_t> outside_;  // All of them, when they are more than kInside.
  std::vector<std::uint64_t> bits_;     // Empty for small sets.
};

// A union of a few sets.
class Selector {
 public:
  static constexpr std::size_t kMaximum = 12;

  Selector() = default;
  explicit Selector(const IdSet* set) { add(set); }
  // Empty sets are left out. Precondition: at most kMaximum are added.
  void add(const IdSet* set) {
    if (set == nullptr || set->empty()) return;
    sets_[count_++] = set;
  }
  std::span<const IdSet* const> sets() const { return {sets_.data(), count_}; }
  bool contains(std::uint32_t id) const {
    for (const IdSet* set : sets()) {
      if (set->contains(id)) return true;
    }
    return false;
  }

 private:
  std::array<const IdSet*, kMaximum> sets_{};
  std::size_t count_ = 0;
};

// Goes through the candidates in order, each once, and returns the first that every check contains
// and `accept(id)` takes.
template <class Accept>
std::optional<std::uint32_t> first_candidate(const Selector& candidates,
                                             std::span<const Selector> checks, Accept accept) {
  std::array<std::size_t, Selector::kMaximum> at{};
  const auto sets = candidates.sets();
  while (true) {
    constexpr std::uint32_t kNone = UINT32_MAX;
    std::uint32_t id = kNone;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto ids = sets[i]->ids();
      if (at[i] < ids.size()) id = std::min(id, ids[at[i]]);
    }
    if (id == kNone) return {};
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto ids = sets[i]->ids();
      if (at[i] < ids.size() && ids[at[i]] == id) ++at[i];
    }
    const bool passes =
        std::ranges::all_of(checks, [&](const Selector& check) { return check.contains(id); });
    if (passes && accept(id)) return id;
  }
}

inline std::optional<std::uint32_t> first_candidate(const Selector& candidates,
                                                    std::span<const Selector> checks) {
  return first_candidate(candidates, checks, [](std::uint32_t) { return true; });
}

}  // namespace agentsh::policy
