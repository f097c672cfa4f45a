#include "sqlguard/rules/database_rules.h"

#include "policy_yaml.h"
#include "sqlguard/classifier/classify.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

using policy::Decision;

// "allow rule-name", "deny" for an implicit one.
std::string verdict(const DatabaseRules& rules, std::string_view sql,
                    SessionState session = SessionState()) {
  const auto decisions = rules.decide(classify(sql, Dialect::kPostgres), std::move(session));
  const StatementDecision* decision = strictest(decisions);
  if (decision == nullptr) return "nothing";
  std::string text(to_string(decision->decision));
  if (!decision->rule_name.empty()) text += " " + decision->rule_name;
  return text;
}

SessionState searching(std::vector<std::string> path) {
  return SessionState(std::move(path));
}

const std::string kReaders =
    "  - {name: readers, operations: [read], objects: [users, orders], decision: allow}\n";

TEST(DatabaseRules, EveryObjectMustBeCovered) {
  const auto rules = rules_of(kReaders);
  EXPECT_EQ(verdict(rules, "select * from users"), "allow readers");
  EXPECT_EQ(verdict(rules, "select * from users, orders"), "allow readers");
  EXPECT_EQ(verdict(rules, "select * from users, secrets"), "deny");
  EXPECT_EQ(verdict(rules, "select * from users where id in (select id from secrets)"), "deny");
  EXPECT_EQ(verdict(rules, "delete from users where true"), "deny");
  EXPECT_EQ(verdict(rules, "update users set a = 1 returning *"), "deny");
}

TEST(DatabaseRules, SeveralRulesCoverTogether) {
  const auto rules = rules_of(
      "  - {name: a, operations: [read], objects: [users], decision: allow}\n"
      "  - {name: b, operations: [read], objects: [orders], decision: audit}\n");
  EXPECT_EQ(verdict(rules, "select * from users, orders"), "audit b");
  EXPECT_EQ(verdict(rules, "select * from users"), "allow a");
}

TEST(DatabaseRules, AnyDenyWinsInAnyOrder) {
  const std::string deny =
      "  - {name: no-secrets, operations: [read], objects: [secrets], decision: deny}\n";
  const std::string allow =
      "  - {name: all, db_service: app, operations: [read], objects: ['*'], decision: allow}\n";
  for (const std::string& order : {deny + allow, allow + deny}) {
    const auto rules = rules_of(order);
    EXPECT_EQ(verdict(rules, "select * from users"), "allow all");
    EXPECT_EQ(verdict(rules, "select * from users, secrets"), "deny no-secrets");
  }
}

TEST(DatabaseRules, TheStrictestOfCoveringRulesDecides) {
  const auto rules = rules_of(
      "  - {name: all, db_service: app, operations: [read, delete], objects: ['*'], decision: "
      "allow}\n"
      "  - {name: seen, operations: [read], objects: [users], decision: audit}\n"
      "  - {name: asked, operations: [delete], objects: [users], decision: approve, timeout: "
      "90s}\n");
  EXPECT_EQ(verdict(rules, "select * from users"), "audit seen");
  EXPECT_EQ(verdict(rules, "delete from users"), "approve asked");
  const auto decisions = rules.decide(
      classify("with d as (delete from users returning *) select * from d", Dialect::kPostgres),
      SessionState());
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].decision, Decision::kApprove);
  EXPECT_EQ(decisions[0].group, Group::kDelete);
  EXPECT_EQ(decisions[0].approval_timeout, std::chrono::seconds(90));
  EXPECT_EQ(decisions[0].audit_rules, std::vector<std::string>{"seen"});
}

TEST(DatabaseRules, HealthChecksPassWhereverReadsDo) {
  const auto rules = rules_of(kReaders +
                              "  - {name: settings, operations: [session, transaction], objects: "
                              "[work_mem], decision: allow}\n");
  for (const char* sql : {"select 1", "select now()", "show server_version", "explain select 1",
                          "select 1 where exists (select 1)", "values (1)", "fetch c"})
    EXPECT_EQ(verdict(rules, sql), "allow readers") << sql;
  for (const char* sql :
       {"discard all", "deallocate all", "begin", "commit", "reset all", "set work_mem = '1MB'"})
    EXPECT_EQ(verdict(rules, sql), "allow settings") << sql;
  EXPECT_EQ(verdict(rules, "set role postgres"), "deny");
  EXPECT_EQ(verdict(rules, "do $$ begin end $$"), "deny");
  EXPECT_EQ(verdict(rules, "vacuum"), "deny");
  EXPECT_EQ(verdict(rules, "select pg_read_file('/x')"), "deny");
  EXPECT_EQ(verdict(rules, ""), "nothing");
}

// A rule that asks a person about certain tables does not ask about SELECT 1.
TEST(DatabaseRules, RulesThatAskDoNotCoverNothing) {
  const auto rules = rules_of(
      kReaders + "  - {name: ask, operations: [read], objects: [secrets], decision: approve}\n");
  EXPECT_EQ(verdict(rules, "select 1"), "allow readers");
  const auto only =
      rules_of("  - {name: ask, operations: [read], objects: [secrets], decision: approve}\n");
  EXPECT_EQ(verdict(only, "select 1"), "deny");
}

TEST(DatabaseRules, DeniesWithSelectorsDoNotMatchWhatHasNoObjects) {
  const auto rules =
      rules_of(kReaders +
               "  - {name: no-secrets, operations: [read], objects: [secrets], decision: deny}\n"
               "  - {name: no-do, operations: [procedural], decision: deny}\n");
  EXPECT_EQ(verdict(rules, "select 1"), "allow readers");
  EXPECT_EQ(verdict(rules, "do $$ begin end $$"), "deny no-do");
}

TEST(DatabaseRules, UnknownIsDeniedUnlessARuleNamesIt) {
  const auto rules =
      rules_of("  - {name: all, db_service: app, operations: ['*'], decision: allow}\n");
  EXPECT_EQ(verdict(rules, "select 1"), "allow all");
  EXPECT_EQ(verdict(rules, "drop table t"), "allow all");
  EXPECT_EQ(verdict(rules, "selekt"), "deny");
  const auto open = rules_of("  - {name: odd, operations: [unknown], decision: allow}\n");
  EXPECT_EQ(verdict(open, "selekt"), "allow odd");
}

TEST(DatabaseRules, RequireWhereNarrows) {
  const auto rules = rules_of(
      "  - {name: careful, operations: [modify, delete], require_where: true, decision: allow}\n");
  EXPECT_EQ(verdict(rules, "delete from t where id = 1"), "allow careful");
  EXPECT_EQ(verdict(rules, "delete from t"), "deny");
  EXPECT_EQ(verdict(rules, "with x as (delete from t) delete from t where true"), "deny");
  EXPECT_EQ(verdict(rules, "merge into t using t as s on true when matched then delete"), "deny");
}

TEST(DatabaseRules, Subtypes) {
  const auto rules = rules_of(
      "  - {name: session, operations: [session], decision: allow}\n"
      "  - {name: no-role, operations: [session], subtypes: [set_role, set_session_authorization], "
      "decision: deny}\n");
  EXPECT_EQ(verdict(rules, "set work_mem = '1MB'"), "allow session");
  for (const char* sql :
       {"set role a", "set local role a", "reset role", "set \"role\" = 'a'",
        "select set_config('role', 'a', false)", "select set_config('ro' || 'le', 'a', false)",
        "set session authorization a"})
    EXPECT_EQ(verdict(rules, sql), "deny no-role") << sql;
}

// A deny by schema holds for every schema that a name may mean, an allow only if all are allowed.
TEST(DatabaseRules, SchemasOfUnqualifiedNames) {
  const auto denies = rules_of(
      "  - {name: all, db_service: app, operations: [read], objects: ['*'], decision: allow}\n"
      "  - {name: no-pii, operations: [read], schemas: [pii], decision: deny}\n");
  EXPECT_EQ(verdict(denies, "select * from pii.t"), "deny no-pii");
  EXPECT_EQ(verdict(denies, "select * from app.t"), "allow all");
  EXPECT_EQ(verdict(denies, "select * from t"), "deny no-pii");
  EXPECT_EQ(verdict(denies, "select * from t", searching({"app", "public"})), "allow all");
  EXPECT_EQ(verdict(denies, "select * from t", searching({"app", "pii"})), "deny no-pii");
  EXPECT_EQ(verdict(denies, "set search_path = pii; select * from t", searching({"app"})),
            "deny no-pii");  // What the setting will be is not certain yet.

  const auto allows =
      rules_of("  - {name: app, operations: [read], schemas: [app], decision: allow}\n");
  EXPECT_EQ(verdict(allows, "select * from app.t"), "allow app");
  EXPECT_EQ(verdict(allows, "select * from t"), "deny");
  EXPECT_EQ(verdict(allows, "select * from t", searching({"app"})), "allow app");
  EXPECT_EQ(verdict(allows, "select * from t", searching({"app", "public"})), "deny");
  EXPECT_EQ(verdict(allows, "select * from pg_class", searching({"app"})), "deny");
}

TEST(DatabaseRules, TemporaryTablesShadow) {
  const auto rules = rules_of(
      "  - {name: app, operations: [read], schemas: [app], decision: allow}\n"
      "  - {name: make, operations: [schema_create], decision: allow}\n");
  EXPECT_EQ(verdict(rules, "create temp table t (a int); select * from t", searching({"app"})),
            "deny");
  EXPECT_EQ(verdict(rules, "create temp table t (a int); select * from app.t", searching({"app"})),
            "allow make");
}

TEST(DatabaseRules, RelationsAndFunctions) {
  const auto rules = rules_of(
      "  - {name: one, operations: [read], relations: [app.users], decision: allow}\n"
      "  - {name: call, operations: [procedural], functions: ['app.refresh(*)'], decision: allow}\n"
      "  - {name: no-wipe, operations: [procedural], functions: ['app.wipe(text)'], decision: "
      "deny}\n");
  EXPECT_EQ(verdict(rules, "select * from app.users"), "allow one");
  EXPECT_EQ(verdict(rules, "select * from users"), "deny");
  EXPECT_EQ(verdict(rules, "select * from users", searching({"app"})), "allow one");
  EXPECT_EQ(verdict(rules, "select * from other.users"), "deny");
  EXPECT_EQ(verdict(rules, "call app.refresh()"), "allow call");
  EXPECT_EQ(verdict(rules, "call app.wipe('x')"), "deny no-wipe");
  EXPECT_EQ(verdict(rules, "call wipe('x')"), "deny no-wipe");
  EXPECT_EQ(verdict(rules, "call other()"), "deny");
}

TEST(DatabaseRules, Resolutions) {
  const auto rules = rules_of(
      "  - {name: sure, operations: [read], match_object_resolution: [qualified_syntactic], "
      "decision: allow}\n");
  EXPECT_EQ(verdict(rules, "select * from app.t"), "allow sure");
  EXPECT_EQ(verdict(rules, "select * from t"), "deny");
  EXPECT_EQ(verdict(rules, "select 1"), "allow sure");
}

TEST(DatabaseRules, MessagesNameWhatWasRefused) {
  const auto rules = rules_of(
      "  - {name: no, operations: [delete], decision: deny, deny_mode_in_tx: "
      "rollback_then_continue,\n"
      "     message: '{{.Operation}} of {{.Schema}}.{{.Object}} by {{.Verb}}: ask first'}\n");
  const auto decisions =
      rules.decide(classify("delete from app.t", Dialect::kPostgres), SessionState());
  EXPECT_EQ(decisions[0].message, "delete of app.t by DELETE: ask first");
  EXPECT_TRUE(decisions[0].rollback_then_continue);
  const auto implicit =
      rules.decide(classify("insert into app.t values (1)", Dialect::kPostgres), SessionState());
  EXPECT_EQ(implicit[0].reason, "no rule covers write of table app.t");
}

TEST(DatabaseRules, ExecuteIsJudgedByWhatWasPrepared) {
  const auto rules = rules_of(kReaders);
  EXPECT_EQ(verdict(rules, "prepare p as select * from users; execute p"), "allow readers");
  EXPECT_EQ(verdict(rules, "execute p"), "deny");
  const Analysis bad = classify("prepare p as delete from users", Dialect::kPostgres);
  const Analysis good = classify("prepare p as select * from users", Dialect::kPostgres);
  SessionState session;
  session.forwarded(bad.statements[0]);
  session.completed(bad.statements[0]);
  EXPECT_EQ(verdict(rules, "execute p", session), "deny");
  // A second PREPARE of the name fails at the server; until that is known both count.
  session.forwarded(good.statements[0]);
  EXPECT_EQ(verdict(rules, "execute p", session), "deny");
  session.failed(good.statements[0]);
  EXPECT_EQ(verdict(rules, "execute p", session), "deny");
  const Analysis gone = classify("deallocate p", Dialect::kPostgres);
  session.forwarded(gone.statements[0]);
  EXPECT_EQ(verdict(rules, "execute p", session), "deny");
  session.completed(gone.statements[0]);
  session.forwarded(good.statements[0]);
  session.completed(good.statements[0]);
  EXPECT_EQ(verdict(rules, "execute p", session), "allow readers");
  EXPECT_EQ(verdict(rules, "create table x as execute p", session), "deny");
  EXPECT_EQ(verdict(rules, "explain analyze execute p", session), "allow readers");
}

TEST(DatabaseRules, EscalatedFunctions) {
  const std::string option =
      "    escalate_unknown_functions: true\n    safe_function_allowlist: [app.total]\n";
  const auto rules = rules_of(kReaders, option);
  EXPECT_EQ(verdict(rules, "select lower(name), count(*), app.total(1) from users group by 1"),
            "allow readers");
  EXPECT_EQ(verdict(rules, "select evil() from users"), "deny");
  EXPECT_EQ(verdict(rules, "select * from users where a operator(evil.=) 1"), "deny");
  EXPECT_EQ(verdict(rules_of(kReaders), "select evil() from users"), "allow readers");
}

TEST(DatabaseRules, Redirects) {
  const auto rules = rules_of(
      "  - {name: masked, operations: [read], relations: [app.users], decision: redirect,\n"
      "     redirect: {relation: safe.users}}\n");
  const auto decisions =
      rules.decide(classify("select * from app.users", Dialect::kPostgres), SessionState());
  EXPECT_EQ(decisions[0].decision, Decision::kRedirect);
  EXPECT_EQ(decisions[0].redirect_source, "app.users");
  EXPECT_EQ(decisions[0].redirect_target, "safe.users");
}

TEST(DatabaseRules, OneDeniedStatementDeniesTheText) {
  const auto rules = rules_of(kReaders);
  EXPECT_EQ(verdict(rules, "select 1; drop table users; select 1"), "deny");
}

}  // namespace
}  // namespace agentsh::sql
