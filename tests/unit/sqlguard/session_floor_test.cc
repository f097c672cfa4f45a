#include "sqlguard/rules/session_floor.h"

#include "sqlguard/classifier/classify.h"
#include "tests/unit/sqlguard/policy_yaml.h"

#include <gtest/gtest.h>

namespace agentsh::sql {
namespace {

SessionFloor floor_of(const std::string& rules,
                      std::optional<std::chrono::nanoseconds> timeout = {}) {
  policy::DbService service;
  service.limits.statement_timeout = timeout;
  return SessionFloor(rules_of(rules).rules(), service);
}

const std::string kReads =
    "  - {name: r, operations: [read, session, transaction], schemas: [public], decision: allow}\n"
    "  - {name: d, operations: [write], schemas: [public], decision: deny}\n";

bool refuses(const SessionFloor& floor, const std::string& sql) {
  for (const Statement& statement : classify(sql, Dialect::kPostgres).statements) {
    if (floor.refusal(statement)) return true;
  }
  return false;
}

TEST(SessionFloor, ReadOnlyWhereNothingElseIsPermitted) {
  const SessionFloor floor = floor_of(kReads);
  EXPECT_TRUE(floor.read_only());
  StartupMessage startup{.parameters = {{"user", "u"}, {"Default_transaction_read_only", "off"}}};
  floor.impose_on(startup);
  const auto& parameters = startup.parameters;
  ASSERT_EQ(parameters.size(), 2u);
  EXPECT_EQ(parameters[1],
            std::pair(std::string("default_transaction_read_only"), std::string("on")));
  EXPECT_FALSE(
      floor_of(kReads + "  - {name: w, operations: [write], objects: [x], decision: approve}\n")
          .read_only());
}

TEST(SessionFloor, CannotBeLifted) {
  const SessionFloor floor = floor_of(kReads);
  for (const char* sql :
       {"SET default_transaction_read_only = off", "SET default_transaction_read_only TO false",
        "SET LOCAL transaction_read_only = 0", "SET TRANSACTION READ WRITE", "BEGIN READ WRITE",
        "START TRANSACTION READ WRITE", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SELECT set_config('transaction_' || 'read_only', 'off', true)",
        "SELECT set_config('transaction_read_only', name, true) FROM t",
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'default_transaction_read_only'",
        "SET Default_Transaction_Read_Only = 'no'"})
    EXPECT_TRUE(refuses(floor, sql)) << sql;
  for (const char* sql : {"SET default_transaction_read_only = on", "BEGIN", "BEGIN READ ONLY",
                          "SET TRANSACTION READ ONLY", "RESET ALL", "DISCARD ALL",
                          "RESET default_transaction_read_only", "SET work_mem = '1MB'",
                          "SELECT set_config('work_mem', '1MB', false)", "SELECT 1"})
    EXPECT_FALSE(refuses(floor, sql)) << sql;
}

TEST(SessionFloor, TimeoutsMayOnlyGetShorter) {
  const SessionFloor floor =
      floor_of("  - {name: w, operations: [write], objects: [x], decision: allow}\n",
               std::chrono::seconds(5));
  StartupMessage startup{.parameters = {{"statement_timeout", "0"}}};
  floor.impose_on(startup);
  EXPECT_EQ(startup.parameters.at(0).second, "5000");
  for (const char* sql :
       {"SET statement_timeout = 0", "SET statement_timeout = '6s'",
        "SET statement_timeout = '1min'", "SET statement_timeout = 5001",
        "SET statement_timeout = 'x'", "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('statement_timeout', x, false) FROM t"})
    EXPECT_TRUE(refuses(floor, sql)) << sql;
  for (const char* sql : {"SET statement_timeout = 5000", "SET statement_timeout = '5s'",
                          "SET statement_timeout = '10ms'", "RESET statement_timeout",
                          "SET statement_timeout TO DEFAULT"})
    EXPECT_FALSE(refuses(floor, sql)) << sql;
  EXPECT_FALSE(refuses(SessionFloor(), "SET statement_timeout = 0"));
}

TEST(SessionFloor, IsPartOfTheRules) {
  const DatabaseRules rules =
      rules_of("  - {name: h, operations: [session, transaction], decision: allow}\n");
  const auto decide = [&](const char* sql) {
    const Analysis analysis = classify(sql, Dialect::kPostgres);
    return rules.decide(analysis.statements[0], SessionState());
  };
  EXPECT_TRUE(decide("BEGIN READ ONLY").permitted());
  const StatementDecision decision = decide("BEGIN READ WRITE");
  EXPECT_FALSE(decision.permitted());
  EXPECT_EQ(decision.reason, "the policy permits reading only: transactions stay read-only");
}

}  // namespace
}  // namespace agentsh::sql
