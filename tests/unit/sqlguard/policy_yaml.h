// Database rules from the YAML of a policy.
#pragma once

#include "policies/loader.h"
#include "sqlguard/rules/database_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {

// `rules` are list entries of database_rules, for a service "app" of dialect postgres; `options`
// stands under policies.db.
inline DatabaseRules rules_of(const std::string& rules, const std::string& options = {}) {
  const std::string yaml =
      "version: 1\nname: test\ndb_services:\n  app:\n    family: postgres\n"
      "    dialect: postgres\n    upstream: db:5432\n"
      "    tls_mode: terminate_reissue\n" +
      (options.empty() ? "" : "policies:\n  db:\n" + options) + "database_rules:\n" + rules;
  policy::Diagnostics problems("test.yaml");
  const auto loaded = policy::load_policy(yaml, problems);
  EXPECT_TRUE(loaded) << problems.to_error().what;
  static const policy::DbService kNone;
  auto compiled = DatabaseRules::compile(loaded ? loaded->database : policy::DatabasePolicy{},
                                         loaded ? loaded->database.services[0] : kNone);
  EXPECT_TRUE(compiled);
  return std::move(*compiled);
}

}  // namespace agentsh::sql
