// Many globs matched at once: which of them match a text, in time that depends on the text's length
// and not on how many globs there are.
//
// Most globs are literal text with something simple before or after it (`*.example.com`,
// `/srv/app/**`): they are found by hashing the text (prefix_index.h). The others run as two
// automata, one reading the text forwards (globs that begin with more literal text than they end
// with) and one backwards, so that the literal part comes first and few globs stay possible. The
// automata are built as texts are seen, up to a bound of memory; beyond it, and while another
// thread is building, the same answer is computed without storing it.
//
// Threads: any number may match at the same time, without waiting for each other.
#pragma once

#include "policies/glob.h"
#include "policies/id_set.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace agentsh::policy {

class GlobIndex {
 public:
  struct Entry {
    Glob glob;
    std::uint32_t id;
  };
  struct Limits {
    // Of each of the two automata, beyond which it stops growing.
    std::size_t automaton_bytes = 4 << 20;
  };

  // The ids of the globs that match a text, as a union of few sets. The sets belong to the index,
  // or to this object: it must outlive their use.
  class Match {
   public:
    // At most this many sets are added to a selector.
    static constexpr std::size_t kMaximum = 5;

    void add_to(Selector& selector) const {
      for (std::size_t i = 0; i < count_; ++i) selector.add(sets_[i]);
    }
    bool empty() const { return count_ == 0; }

   private:
    friend class GlobIndex;
    void add(const IdSet* set, std::uint32_t id_bound);

    std::array<const IdSet*, kMaximum> sets_{};
    std::size_t count_ = 0;
    std::vector<std::unique_ptr<const IdSet>> own_;
  };

  GlobIndex();
  // `id_bound` is above every id. Several globs may have one id.
  GlobIndex(std::vector<Entry> entries, std::uint32_t id_bound)
      : GlobIndex(std::move(entries), id_bound, Limits{}) {}
  GlobIndex(std::vector<Entry> entries, std::uint32_t id_bound, Limits limits);
  ~GlobIndex();
  GlobIndex(GlobIndex&&) noexcept;
  GlobIndex& operator=(GlobIndex&&) noexcept;

  Match match(std::string_view text) const;

 private:
  struct Side;  // What is read in one direction.

  std::uint32_t id_bound_ = 0;
  std::unique_ptr<const Side> forwards_;  // Null when no glob needs it.
  std::unique_ptr<const Side> backwards_;
};

}  // namespace agentsh::policy
