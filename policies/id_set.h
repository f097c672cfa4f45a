// Sets of rules by number, and the first rule that is in one set of each of several selectors: the
// core of every decision. A selector is a union of sets ("rules without ports" and "rules with port
// 443"); a rule matches when every selector contains it. The cost depends on how many rules match
// in the most selective selector, not on how many there are.
//
// Threads: immutable once built; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
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
  // Numbers 64 * `index` to 64 * `index` + 63 as bits. `cursor` starts at 0 and belongs to one pass
  // over rising indexes.
  std::uint64_t word(std::size_t index, std::size_t& cursor) const {
    if (!bits_.empty()) return index < bits_.size() ? bits_[index] : 0;
    std::uint64_t result = 0;
    const auto all = ids();
    for (; cursor < all.size() && all[cursor] / 64 == index; ++cursor) {
      result |= std::uint64_t{1} << (all[cursor] % 64);
    }
    return result;
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
    total_ += set->size();
  }
  std::span<const IdSet* const> sets() const { return {sets_.data(), count_}; }
  std::size_t total() const { return total_; }
  bool contains(std::uint32_t id) const {
    for (const IdSet* set : sets()) {
      if (set->contains(id)) return true;
    }
    return false;
  }

 private:
  std::array<const IdSet*, kMaximum> sets_{};
  std::size_t count_ = 0;
  std::size_t total_ = 0;
};

// Merges the sets of the narrowest selector and looks each number up in the others.
template <class Accept>
std::optional<std::uint32_t> first_common_of_few(std::span<const Selector> selectors,
                                                 const Selector& narrowest, Accept accept) {
  std::array<std::size_t, Selector::kMaximum> at{};
  const auto sets = narrowest.sets();
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
    const bool common = std::ranges::all_of(selectors, [&](const Selector& selector) {
      return &selector == &narrowest || selector.contains(id);
    });
    if (common && accept(id)) return id;
  }
}

// Intersects 64 numbers at a time.
template <class Accept>
std::optional<std::uint32_t> first_common_of_many(std::span<const Selector> selectors,
                                                  std::uint32_t last, Accept accept) {
  std::array<std::array<std::size_t, Selector::kMaximum>, Selector::kMaximum> cursors{};
  for (std::size_t index = 0; index <= last / 64; ++index) {
    std::uint64_t common = ~std::uint64_t{0};
    for (std::size_t s = 0; s < selectors.size(); ++s) {
      std::uint64_t united = 0;
      const auto sets = selectors[s].sets();
      for (std::size_t i = 0; i < sets.size(); ++i) united |= sets[i]->word(index, cursors[s][i]);
      common &= united;
    }
    for (; common != 0; common &= common - 1) {
      const auto id = static_cast<std::uint32_t>(index * 64 + std::countr_zero(common));
      if (accept(id)) return id;
    }
  }
  return {};
}

// Goes through the numbers that every selector contains, in order, until `accept(id)` is true.
// Precondition: 1 to Selector::kMaximum selectors.
template <class Accept>
std::optional<std::uint32_t> first_common(std::span<const Selector> selectors, Accept accept) {
  const Selector* narrowest = &selectors[0];
  for (const Selector& selector : selectors) {
    if (selector.total() < narrowest->total()) narrowest = &selector;
  }
  constexpr std::size_t kFew = 64;
  if (narrowest->total() <= kFew) return first_common_of_few(selectors, *narrowest, accept);
  std::uint32_t last = 0;
  for (const IdSet* set : narrowest->sets()) last = std::max(last, set->ids().back());
  return first_common_of_many(selectors, last, accept);
}

inline std::optional<std::uint32_t> first_common(std::span<const Selector> selectors) {
  return first_common(selectors, [](std::uint32_t) { return true; });
}

}  // namespace agentsh::policy
