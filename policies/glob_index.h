// Many globs matched at once: which of them match a text, in time that depends on the text's length
// and not on how many globs there are.
//
// Globs without wildcards are found by a hash. The others run as two automata, one reading the text
// forwards (globs that begin with more literal text than they end with) and one backwards
// (`*.example.com`, `**/.env`), so that the literal part comes first and few globs stay possible.
// The automata are built as texts are seen, up to a bound of memory; beyond it, and while another
// thread is building, the same answer is computed without storing it.
//
// Threads: any number may match at the same time, without waiting for each other.
#pragma once

#include "policies/glob.h"
#include "policies/id_set.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::policy {

class LazyAutomaton;

class GlobIndex {
 public:
  struct Entry {
    Glob glob;
    std::uint32_t id;
  };
  struct Limits {
    std::size_t automaton_bytes =
        4 << 20;  // Of each of the two automata, beyond which it stops growing.
  };

  // The ids of the globs that match a text, as a union of sets. The sets belong to the index, or to
  // this object: it must outlive their use.
  class Match {
   public:
    void add_to(Selector& selector) const {
      for (const IdSet* set : sets_) selector.add(set);
    }
    bool empty() const {
      return std::ranges::all_of(sets_,
                                 [](const IdSet* set) { return set == nullptr || set->empty(); });
    }

   private:
    friend class GlobIndex;
    std::array<const IdSet*, 3> sets_{};
    std::array<std::unique_ptr<const IdSet>, 2> own_;
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
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, IdSet, Hash, std::equal_to<>> literals_;
  std::unique_ptr<LazyAutomaton> forwards_;  // Null when no glob needs it.
  std::unique_ptr<LazyAutomaton> backwards_;
};

}  // namespace agentsh::policy
