// What the rules say about a statement, and why.
#pragma once

#include "policies/model_database.h"
#include "policies/verdict.h"
#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/name_resolution.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::sql {

// Which rules cover one object of an effect; indexes are those of DatabaseRules::rules().
struct ObjectCoverage {
  std::optional<std::size_t> object;  // In the effect; nothing for an effect without objects.
  std::vector<std::uint32_t> covering;
  std::vector<std::uint32_t> denying;
};

struct EffectDecision {
  policy::Decision decision = policy::Decision::kDeny;
  std::optional<std::uint32_t> rule;  // Nothing: no rule covers it all.
  std::vector<ObjectCoverage> coverage;
};

// Of one statement. The rule and the effect are those that decided.
struct StatementDecision {
  policy::Decision decision = policy::Decision::kDeny;
  std::string rule_name;  // Empty for an implicit deny.
  std::string message;    // The rule's, rendered.
  std::string reason;     // "no rule covers read of table pii.ssns".
  std::size_t effect = 0;
  Group group = Group::kUnknown;
  std::optional<std::chrono::nanoseconds> approval_timeout;  // The shortest that contributes.
  // Deny inside of a transaction: end the connection, or roll back and go on.
  bool rollback_then_continue = false;
  // A redirect: every read of `source` is to read `target`, both schema.name.
  std::string redirect_source;
  std::string redirect_target;
  // The strictest of the service and of all rules that cover something of the statement.
  policy::DbLimits limits;
  std::vector<std::string> audit_rules;  // Names of the audit rules that contributed.
  // What was judged: the statement's own effects, those of what it executes, escalated calls.
  std::vector<Effect> effects;
  std::vector<EffectDecision> by_effect;  // As many as effects.

  bool permitted() const {
    return decision == policy::Decision::kAllow || decision == policy::Decision::kAudit ||
           decision == policy::Decision::kRedirect;
  }
};

}  // namespace agentsh::sql
