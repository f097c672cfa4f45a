// A policy ready to decide: variables expanded, every section compiled into look-ups whose cost
// does not grow with the number of rules. Immutable; sessions share it, a reload makes a new one.
//
//   auto policy = CompiledPolicy::compile(*load_policy(text, problems), variables);
//   Verdict verdict = (*policy)->decide(ConnectFacts{.name = name, .address = ip, .port = 443});
//
// The rules' own words are in policy(); what each section's rules mean is told in the deciders'
// headers (network_decider.h, command_decider.h, file_decider.h, redirect_decider.h).
//
// Threads: any number may decide at once; no decision takes a lock. Errors: compile() fails with
// every variable that has no value and every pattern that is wrong with its value, by place.
#pragma once

#include "base/result.h"
#include "policies/command_decider.h"
#include "policies/environment.h"
#include "policies/facts.h"
#include "policies/file_decider.h"
#include "policies/model.h"
#include "policies/network_decider.h"
#include "policies/redirect_decider.h"
#include "policies/variables.h"
#include "policies/verdict.h"

#include <memory>
#include <vector>

namespace agentsh::policy {

class CompiledPolicy {
 public:
  static Result<std::shared_ptr<const CompiledPolicy>> compile(Policy policy,
                                                               const Variables& variables);
  CompiledPolicy(const CompiledPolicy&) = delete;
  CompiledPolicy& operator=(const CompiledPolicy&) = delete;

  // A connection, network_rules and connect_redirects together. A redirect applies to what the
  // rules permit, and to what only a denial of everything or the default denies: naming a
  // destination there is consent to reach the target in its place. Its verdict has a redirect()
  // with the target.
  Verdict decide(const ConnectFacts& facts) const;
  // A DNS question: dns_redirects first (redirect()->target is the address to answer), then
  // network_rules by name. A permitted one may be resolved; a denied one is answered REFUSED.
  Verdict decide(const DnsFacts& facts) const;
  // A command, wrappers looked into.
  Verdict decide(const CommandFacts& facts) const { return commands_.verdict(facts); }
  // An operation on a file.
  Verdict decide(const FileFacts& facts) const { return files_.verdict(facts); }

  // The environment that a command is given: the rule of the command itself has its own, or the
  // policy's holds.
  const EnvironmentFilter& environment_for(const CommandFacts& facts) const;
  const EnvironmentFilter& environment() const { return environment_; }

  // As it was written, variables replaced.
  const Policy& policy() const { return policy_; }
  const std::string& name() const { return policy_.name; }

  const NetworkDecider& network() const { return network_; }
  const CommandDecider& commands() const { return commands_; }
  const FileDecider& files() const { return files_; }
  const RedirectDecider& redirects() const { return redirects_; }

 private:
  explicit CompiledPolicy(Policy policy);
  void build(Diagnostics& problems);
  bool denies_everything(std::optional<std::size_t> rule) const;

  const Policy policy_;
  NetworkDecider network_;
  CommandDecider commands_;
  FileDecider files_;
  RedirectDecider redirects_;
  EnvironmentFilter environment_;
  std::vector<std::unique_ptr<EnvironmentFilter>> command_environments_;  // By rule; often null.
};

}  // namespace agentsh::policy
