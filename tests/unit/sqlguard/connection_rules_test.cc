#include "sqlguard/rules/connection_rules.h"

#include "policies/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

using policy::DbConnectionKind;

ConnectionRules rules_of(const std::string& rules, const std::string& mode = "terminate_reissue") {
  const std::string yaml =
      "version: 1\nname: test\ndb_services:\n"
      "  app: {upstream: 'db:5432', tls_mode: " +
      mode +
      "}\n"
      "  other: {upstream: 'other:5432', tls_mode: terminate_reissue}\n" +
      (rules.empty() ? "" : "database_connection_rules:\n" + rules);
  policy::Diagnostics problems("test.yaml");
  const auto loaded = policy::load_policy(yaml, problems);
  EXPECT_TRUE(loaded) << problems.to_error().what;
  return ConnectionRules::compile(loaded->database, loaded->database.services[0]).value();
}

// "allow rule-name", "deny" where no rule matched.
std::string verdict(const ConnectionRules& rules, ConnectionFacts facts) {
  const ConnectionDecision decision = rules.decide(facts);
  std::string text(to_string(decision.decision));
  if (!decision.rule_name.empty()) text += " " + decision.rule_name;
  return text;
}

constexpr ConnectionFacts kCancel{.kind = DbConnectionKind::kCancel};
constexpr ConnectionFacts kReplication{.kind = DbConnectionKind::kReplication};

TEST(ConnectionRules, WithoutRules) {
  const auto open = rules_of("");
  EXPECT_EQ(verdict(open, {.db_user = "u"}), "allow");
  EXPECT_EQ(verdict(open, kCancel), "allow");
  EXPECT_EQ(verdict(open, kReplication), "deny");
  const auto unseen = rules_of("", "passthrough");
  EXPECT_EQ(verdict(unseen, {}), "deny");
  EXPECT_EQ(verdict(unseen, kCancel), "deny");
}

TEST(ConnectionRules, RulesOfAKindCloseItToOthers) {
  const auto rules = rules_of("  - {name: a, db_user: [app], decision: allow}\n");
  EXPECT_EQ(verdict(rules, {.db_user = "app"}), "allow a");
  EXPECT_EQ(verdict(rules, {.db_user = "postgres"}), "deny");
  EXPECT_EQ(verdict(rules, kCancel), "allow");
  EXPECT_EQ(verdict(rules, kReplication), "deny");
  EXPECT_EQ(rules.decide({.db_user = "x", .database = "y"}).reason,
            "no rule permits user \"x\" to connect to database \"y\"");
  const auto others = rules_of("  - {name: a, db_service: other, decision: deny}\n");
  EXPECT_EQ(verdict(others, {.db_user = "postgres"}), "allow");
}

TEST(ConnectionRules, EverySelectorHasToMatch) {
  const auto rules = rules_of(
      "  - {name: a, db_user: [\"app_*\", reader], database: \"shop*\", application_name: "
      "\"{psql,}\", client_identity: \"session-?\", decision: allow}\n");
  const ConnectionFacts good{.db_user = "app_1",
                             .database = "shop_eu",
                             .application_name = "psql",
                             .client_identity = "session-1"};
  EXPECT_EQ(verdict(rules, good), "allow a");
  ConnectionFacts facts = good;
  facts.db_user = "reader";
  facts.application_name = "";
  EXPECT_EQ(verdict(rules, facts), "allow a");
  for (auto member : {&ConnectionFacts::db_user, &ConnectionFacts::database,
                      &ConnectionFacts::application_name, &ConnectionFacts::client_identity}) {
    facts = good;
    facts.*member = "else";
    EXPECT_EQ(verdict(rules, facts), "deny");
  }
  facts = good;
  facts.db_user = "APP_1";  // Roles have letter case.
  EXPECT_EQ(verdict(rules, facts), "deny");
}

TEST(ConnectionRules, TheStrictestCounts) {
  const auto rules = rules_of(
      "  - {name: all, decision: allow}\n"
      "  - {name: seen, db_user: [\"a*\"], decision: audit}\n"
      "  - {name: asked, db_user: [\"ab*\"], decision: approve, timeout: 60s}\n"
      "  - {name: asked-soon, db_user: [\"abc*\"], decision: approve, timeout: 30s}\n"
      "  - {name: never, db_user: [abcd], decision: deny, message: \"{{.User}} of {{.Database}}: "
      "no\"}\n");
  EXPECT_EQ(verdict(rules, {.db_user = "x"}), "allow all");
  EXPECT_EQ(verdict(rules, {.db_user = "a"}), "audit seen");
  EXPECT_EQ(verdict(rules, {.db_user = "ab"}), "approve asked");
  const ConnectionDecision soon = rules.decide({.db_user = "abc"});
  EXPECT_EQ(soon.approval_timeout, std::chrono::seconds(30));
  EXPECT_THAT(soon.audit_rules, testing::ElementsAre("seen"));
  EXPECT_FALSE(soon.permitted());
  const ConnectionDecision never = rules.decide({.db_user = "abcd", .database = "shop"});
  EXPECT_EQ(never.decision, policy::Decision::kDeny);
  EXPECT_EQ(never.message, "abcd of shop: no");
  EXPECT_EQ(never.reason, "rule never");
  EXPECT_TRUE(rules.decide({.db_user = "a"}).permitted());
}

TEST(ConnectionRules, KindsAreApart) {
  const auto rules = rules_of(
      "  - {name: c, match_kind: cancel, decision: deny}\n"
      "  - {name: r, match_kind: replication, db_user: [backup], decision: allow}\n");
  EXPECT_EQ(verdict(rules, {.db_user = "u"}), "allow");
  EXPECT_EQ(verdict(rules, kCancel), "deny c");
  EXPECT_EQ(verdict(rules, {.kind = DbConnectionKind::kReplication, .db_user = "backup"}),
            "allow r");
  EXPECT_EQ(verdict(rules, {.kind = DbConnectionKind::kReplication, .db_user = "u"}), "deny");
}

}  // namespace
}  // namespace agentsh::sql
