// database_rules of a policy, for one service: what they say about statements.
//
// All rules that match are collected, their order plays no part. Any deny that matches any object
// of an effect denies; else every object must be covered by rules that do not deny, of which the
// strictest decides (approve, redirect, audit, allow). A statement gets the strictest decision of
// its effects.
//
// A name whose schema the statement does not say may mean any schema that the session searches: a
// deny matches if one of them does, or if they are not known; anything else matches only if all of
// them do.
//
// Objects behind views (Object::implied) need no rule of their own, but rules that deny them deny,
// and the strictest that covers them counts too.
//
// An effect without objects is matched by rules that select none (or every: `objects: ["*"]`).
// Reads of nothing (SELECT 1, SHOW), transactions, settings and channels are covered by any rule of
// their group: who may read something may read nothing.
//
// Threads: immutable; any thread.
#pragma once

#include "base/result.h"
#include "policies/model_database.h"
#include "sqlguard/classifier/classify.h"
#include "sqlguard/rules/decision.h"
#include "sqlguard/rules/session_floor.h"
#include "sqlguard/rules/session_state.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class DatabaseRules {
 public:
  // The rules that apply to `service`, an entry of db_services. Fails on a glob that does not
  // parse.
  static Result<DatabaseRules> compile(const policy::DatabasePolicy& policy,
                                       const policy::DbService& service);
  DatabaseRules(DatabaseRules&&) noexcept;
  DatabaseRules& operator=(DatabaseRules&&) noexcept;
  ~DatabaseRules();

  // One statement, in the state that the session is in when it runs.
  StatementDecision decide(const Statement& statement, const SessionState& session) const;

  // The whole text: one decision for each statement. Statements that earlier ones prepare are known
  // to later ones.
  std::vector<StatementDecision> decide(const Analysis& analysis, SessionState session) const;

  std::span<const policy::DatabaseRule> rules() const;
  // What sessions get at login; statements that would lift it are denied.
  const SessionFloor& floor() const;

 private:
  struct Compiled;
  class Evaluation;
  explicit DatabaseRules(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
};

// The strictest of a text's decisions is what happens to it: nothing is forwarded when one denies.
const StatementDecision* strictest(std::span<const StatementDecision> decisions);

}  // namespace agentsh::sql
