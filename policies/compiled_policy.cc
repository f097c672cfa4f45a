#include "policies/compiled_policy.h"

#include "policies/expansion.h"

namespace agentsh::policy {

CompiledPolicy::CompiledPolicy(Policy policy) : policy_(std::move(policy)) {}

Result<std::shared_ptr<const CompiledPolicy>> CompiledPolicy::compile(Policy policy,
                                                                      const Variables& variables) {
  Diagnostics problems(policy.file);
  expand_policy(policy, variables, problems);
  if (!problems.ok()) return std::unexpected(problems.to_error());
  std::shared_ptr<CompiledPolicy> compiled(new CompiledPolicy(std::move(policy)));
  compiled->build(problems);
  if (!problems.ok()) return std::unexpected(problems.to_error());
  return compiled;
}

void CompiledPolicy::build(Diagnostics& problems) {
  network_ = NetworkDecider(policy_.network_rules, problems);
  commands_ = CommandDecider(policy_, problems);
  files_ = FileDecider(policy_.file_rules, problems);
  redirects_ = RedirectDecider(policy_);
  environment_ = EnvironmentFilter(policy_.env_policy, policy_.env_inject);
  for (const CommandRule& rule : policy_.command_rules) {
    command_environments_.push_back(rule.environment ? std::make_unique<EnvironmentFilter>(
                                                           *rule.environment, policy_.env_inject)
                                                     : nullptr);
  }
}

Verdict CompiledPolicy::decide(const ConnectFacts& facts) const {
  Verdict verdict = network_.verdict(facts);
  const RedirectDecider::Target* target = redirects_.for_connection(facts);
  if (target != nullptr && verdict.decision() == Decision::kDeny &&
      !denies_everything(network_.match(facts))) {
    return verdict;
  }
  if (target == nullptr) {
    if (verdict.decision() != Decision::kRedirect) return verdict;
    return Verdict::deny(verdict.rule(),
                         "the rule redirects, but no entry of connect_redirects "
                         "says where to");
  }
  if (verdict.needs_approval()) return std::move(verdict).with_redirect(target->redirect);
  return Verdict::from_rule(Decision::kRedirect, target->rule, target->message)
      .with_redirect(target->redirect)
      .with_tls_passthrough(verdict.tls_passthrough());
}

// The default, or a rule at the end that spells it out.
bool CompiledPolicy::denies_everything(std::optional<std::size_t> rule) const {
  return !rule || matches_everything(policy_.network_rules[*rule]);
}

Verdict CompiledPolicy::decide(const DnsFacts& facts) const {
  if (const auto* target = redirects_.for_name(facts.name)) {
    return Verdict::from_rule(Decision::kRedirect, target->rule, target->message)
        .with_redirect(target->redirect);
  }
  Verdict verdict = network_.verdict(facts);
  if (verdict.decision() == Decision::kDeny) {
    const auto* target = redirects_.for_some_port(facts.name);
    if (target != nullptr && denies_everything(network_.match(facts))) {
      return Verdict::allow(target->rule);
    }
  }
  return verdict;
}

const EnvironmentFilter& CompiledPolicy::environment_for(const CommandFacts& facts) const {
  auto rule = commands_.match(facts);
  if (rule && command_environments_[*rule] != nullptr) return *command_environments_[*rule];
  return environment_;
}

}  // namespace agentsh::policy
