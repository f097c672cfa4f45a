// command_rules, compiled. The first rule that matches decides; no rule is a denial.
//
// A rule matches when one of its `commands` does (with a "/": the whole path, else the last part of
// it; letter case is free; a trailing ".real" of the program is dropped), one of its args_patterns
// is found in the arguments joined by single spaces, and the depth lies within its context. A
// command inside a wrapper (command_unwrap.h) is judged too, and the strictest verdict counts.
//
// Threads: immutable once built but for a cache that is only added to; any thread, no lock to read.
#pragma once

#include "policies/command_unwrap.h"
#include "policies/facts.h"
#include "policies/glob_index.h"
#include "policies/model.h"
#include "policies/pattern_cache.h"

#include <memory>
#include <optional>
#include <vector>

namespace agentsh::policy {

class CommandDecider {
 public:
  CommandDecider() = default;
  // The policy must outlive the decider. Globs that do not parse are reported and match nothing.
  CommandDecider(const Policy& policy, Diagnostics& problems);

  // The index of the rule that decides about this command itself, wrappers not looked into.
  std::optional<std::size_t> match(const CommandFacts& facts) const;

  Verdict verdict(const CommandFacts& facts) const;

 private:
  Verdict verdict_of_one(const CommandFacts& facts) const;
  Verdict strictest(const CommandFacts& facts, int wrapped) const;
  std::optional<std::size_t> match_arguments(const Selector& commands,
                                             const CommandFacts& facts) const;
  const IdSet* depths(int depth) const;

  const Policy* policy_ = nullptr;
  std::optional<CommandUnwrapper> unwrapper_;
  GlobIndex paths_;
  GlobIndex names_;
  IdSet any_command_;
  IdSet asking_;                               // Rules with args_patterns.
  std::vector<std::pair<int, IdSet>> depths_;  // The rules for a depth and those above it.
  std::unique_ptr<PatternCache> patterns_;
  std::vector<std::shared_ptr<const Redirect>> redirects_;  // By rule; null for most.
};

// Which of two verdicts is stricter: deny, then redirect and soft_delete, approve, audit, allow.
int strictness(Decision decision);

}  // namespace agentsh::policy
