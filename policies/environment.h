// env_policy, the env_* keys of a command rule, and env_inject: which environment a command gets.
//
// `deny` wins over `allow`; an empty `allow` is everything but a built-in list of credentials and
// of hooks into loaders and interpreters (default_denied_variables()). AGENTSH_* always passes.
// `env_inject` is added at the end and may carry a name that is denied.
//
// Threads: immutable once built; any thread.
#pragma once

#include "base/result.h"
#include "policies/glob_index.h"
#include "policies/model.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::policy {

// Globs of names that an empty `allow` does not cover.
std::span<const std::string_view> default_denied_variables();

class EnvironmentFilter {
 public:
  using Variable = std::pair<std::string, std::string>;
  struct Outcome {
    std::vector<Variable> variables;   // In the order given, then what is injected.
    std::vector<std::string> removed;  // Names, for the audit event.
  };

  EnvironmentFilter() : EnvironmentFilter(EnvironmentRules{}, {}) {}
  EnvironmentFilter(const EnvironmentRules& rules, std::span<const Variable> inject);

  bool allows(std::string_view name) const;
  // Fails when what is left goes over max_keys or max_bytes (the sum of "NAME=value" and a NUL
  // each): the command is then not started.
  Result<Outcome> apply(std::span<const Variable> requested) const;
  bool blocks_iteration() const { return block_iteration_; }

 private:
  GlobIndex allowed_;
  GlobIndex denied_;
  std::vector<Variable> inject_;
  std::optional<std::uint64_t> max_bytes_;
  std::optional<std::uint64_t> max_keys_;
  bool block_iteration_ = false;
};

}  // namespace agentsh::policy
