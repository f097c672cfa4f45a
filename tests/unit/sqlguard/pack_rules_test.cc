// What the shipped policies say about statements, for a service that is added to them.
#include "base/file_io.h"
#include "policies/loader.h"
#include "sqlguard/rules/database_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

DatabaseRules rules_of_pack(const std::string& name) {
  auto text = read_file(std::string(AGENTSH_PACKS) + "/" + name + ".yaml");
  EXPECT_TRUE(text);
  *text += "\ndb_services:\n  app: {upstream: 'db:5432', tls_mode: terminate_reissue}\n";
  policy::Diagnostics problems(name);
  const auto loaded = policy::load_policy(*text, problems);
  EXPECT_TRUE(loaded) << problems.to_error().what;
  return DatabaseRules::compile(loaded->database, loaded->database.services[0]).value();
}

class PackRules : public testing::TestWithParam<const char*> {};

TEST_P(PackRules, DecideAsTheySay) {
  const auto rules = rules_of_pack(GetParam());
  const auto verdict = [&](std::string_view sql) {
    const auto decisions = rules.decide(classify(sql, Dialect::kPostgres), SessionState());
    return std::string(to_string(strictest(decisions)->decision));
  };
  for (const char* housekeeping :
       {"SELECT 1", "SELECT now()", "SHOW server_version", "EXPLAIN SELECT 1", "DISCARD ALL",
        "BEGIN; SELECT 1; COMMIT", "ROLLBACK", "SET statement_timeout = 5", "RESET ALL",
        "DEALLOCATE ALL", "LISTEN jobs", "SELECT pg_is_in_recovery()", "SELECT * FROM orders",
        "SELECT relname FROM pg_catalog.pg_class"})
    EXPECT_EQ(verdict(housekeeping), "allow") << housekeeping;
  for (const char* change : {"INSERT INTO orders VALUES (1)", "UPDATE orders SET a = 1",
                             "DELETE FROM orders", "CREATE TABLE t (a int)"})
    EXPECT_EQ(verdict(change), "approve") << change;
  for (const char* never :
       {"DROP TABLE orders", "TRUNCATE orders", "GRANT ALL ON orders TO public", "SET ROLE admin",
        "SELECT * FROM pg_authid", "SELECT pg_read_file('/etc/passwd')",
        "COPY orders TO PROGRAM 'curl x'", "WITH a AS (SELECT * FROM pg_shadow) SELECT 1 FROM a",
        "SELECT set_config('role', 'admin', false)", "DO $$ begin end $$", "nonsense"})
    EXPECT_EQ(verdict(never), "deny") << never;
}

INSTANTIATE_TEST_SUITE_P(Shipped, PackRules, testing::Values("dev-safe", "agent-default"),
                         [](const auto& info) { return std::string(info.param).substr(0, 3); });

}  // namespace
}  // namespace agentsh::sql
