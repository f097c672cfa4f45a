// Sections of a policy about who a process is and which rules hold below it: process_identities
// and process_contexts. Parsed and checked; nothing of this version acts on them.
#pragma once

#include "policies/verdict.h"
#include "policies/yaml_reader.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::policy {

struct ContextRules;  // model.h

// How a process is recognised on one platform. Each list is OR.
struct PlatformIdentity {
  std::string platform;  // linux darwin windows all_platforms
  std::vector<std::string> comm;
  std::vector<std::string> exe_path;
  std::vector<std::string> cmdline;
  std::vector<std::string> bundle_id;
  std::vector<std::string> exe_name;
};

struct ProcessIdentity {
  std::string name;
  SourcePosition where;
  std::string description;
  std::vector<PlatformIdentity> platforms;
};

// A condition on the chain of ancestors: a leaf (`kind` with its texts or numbers) or a
// combination of others ("and", "or", "not").
struct ChainCondition {
  std::string kind;
  std::vector<std::string> texts;
  std::vector<std::pair<std::string, long>> numbers;
  std::vector<ChainCondition> parts;
};

enum class ChainAction {
  kAllowNormalPolicy,
  kApplyContextPolicy,
  kDeny,
  kApprove,
  kMarkAsAgent,
  kAllow,
};

struct ChainRule {
  std::string name;
  SourcePosition where;
  int priority = 0;
  ChainCondition condition;
  ChainAction action = ChainAction::kDeny;
  std::string message;
  bool continue_after = false;
};

struct CommandOverride {
  std::string command;
  std::vector<std::string> args_allow;
  std::vector<std::string> args_deny;
  std::optional<Decision> otherwise;  // `default`
};

struct RacePolicy {
  std::string on_missing_parent = "deny";
  std::string on_pid_mismatch = "deny";
  std::string on_validation_error = "deny";
  bool log_race_conditions = false;
};

struct ProcessContext {
  std::string name;
  SourcePosition where;
  std::string description;
  std::vector<std::string> identities;
  std::vector<ChainRule> chain_rules;
  std::shared_ptr<const ContextRules> rules;
  std::vector<std::string> allowed_commands;
  std::vector<std::string> denied_commands;
  std::vector<std::string> require_approval;
  std::vector<CommandOverride> command_overrides;
  Decision default_decision = Decision::kDeny;
  RacePolicy race_policy;
  int max_depth = 0;  // 0: unlimited.
  std::vector<std::string> stop_at;
  std::vector<std::string> pass_through;
};

}  // namespace agentsh::policy
