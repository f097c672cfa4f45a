// Internal to GlobIndex: a GlobProgram made deterministic as texts are read.
//
// Readers follow pointers that are only ever set once, from nothing to a state; new states are made
// under a mutex that readers try and never wait for. States are never removed before the automaton.
#pragma once

#include "policies/glob_program.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::policy {

class LazyAutomaton {
 public:
  LazyAutomaton(GlobProgram program, std::uint32_t id_bound, std::size_t maximum_bytes);
  ~LazyAutomaton();

  // The ids of the globs that match `text`. The set belongs to the automaton or, when it could not
  // be stored, to `own`.
  const IdSet* match(std::string_view text, std::unique_ptr<const IdSet>& own) const;

 private:
  struct State {
    State(GlobProgram::StateSet set, const IdSet* ids, std::size_t classes)
        : states(std::move(set)),
          accepts(ids),
          next(std::make_unique<std::atomic<const State*>[]>(classes)) {}
    const GlobProgram::StateSet states;
    const IdSet* const accepts;
    const std::unique_ptr<std::atomic<const State*>[]> next;
  };
  struct SetHash {
    std::size_t operator()(const GlobProgram::StateSet& set) const;
  };

  // The state after `byte`, made if need be; null when that cannot be done now.
  const State* advance(const State* state, std::uint8_t byte) const;
  const State* intern(GlobProgram::StateSet set) const;
  // Goes on without storing anything.
  std::unique_ptr<const IdSet> simulate(GlobProgram::StateSet states, std::string_view text) const;

  const GlobProgram program_;
  const std::uint32_t id_bound_;
  const std::size_t maximum_bytes_;
  mutable std::mutex growing_;  // Guards the three below.
  mutable std::unordered_map<GlobProgram::StateSet, std::unique_ptr<State>, SetHash> states_;
  mutable std::map<std::vector<std::uint32_t>, IdSet> accepted_;
  mutable std::size_t bytes_ = 0;
  const State* start_ = nullptr;
};

}  // namespace agentsh::policy
