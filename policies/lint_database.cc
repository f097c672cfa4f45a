// Findings about database_rules and database_connection_rules.
#include "policies/lint_checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy::lint_checks {
namespace {

using Globs = std::vector<Glob>;

Globs parse(const std::vector<std::string>& texts) {
  Globs globs;
  for (const std::string& text : texts) {
    auto glob = Glob::parse(text, kNoSeparator);
    if (glob) globs.push_back(std::move(*glob));
  }
  return globs;
}

Globs parse(const std::string& text) {
  return text.empty() ? Globs{} : parse(std::vector<std::string>{text});
}

// None is any.
bool covers(const Globs& wider, const Globs& narrower) {
  if (wider.empty()) return true;
  return !narrower.empty() && all_covered(wider, narrower);
}

bool covers(const DatabaseConnectionRule& wider, const DatabaseConnectionRule& narrower) {
  return wider.match_kind == narrower.match_kind &&
         (wider.db_service.empty() || wider.db_service == narrower.db_service) &&
         covers(parse(wider.db_user), parse(narrower.db_user)) &&
         covers(parse(wider.database), parse(narrower.database)) &&
         covers(parse(wider.application_name), parse(narrower.application_name)) &&
         covers(parse(wider.client_identity), parse(narrower.client_identity));
}

// Any deny wins, wherever it stands: what one covers whole, no other rule decides.
void check_denied(const Policy& policy, std::size_t index, Findings& findings) {
  const auto& rules = policy.database.connection_rules;
  if (rules.size() > kMostCompared || rules[index].decision == Decision::kDeny) return;
  for (const DatabaseConnectionRule& other : rules) {
    if (other.decision != Decision::kDeny || !covers(other, rules[index])) continue;
    findings.add("shadowed-rule", rules[index].where,
                 fmt::format("database_connection_rules[{}]", index),
                 fmt::format("the rule at line {} denies all that it is about, and a denial wins "
                             "wherever it stands",
                             other.where.line));
    return;
  }
}

// Where the guard logs in as a role of its own, the server sees no other.
void check_users(const Policy& policy, std::size_t index, Findings& findings) {
  const DatabaseConnectionRule& rule = policy.database.connection_rules[index];
  if (rule.db_user.empty()) return;
  const Globs users = parse(rule.db_user);
  for (const DbService& service : policy.database.services) {
    if (!rule.db_service.empty() && rule.db_service != service.name) continue;
    if (!service.credentials || service.credentials->user.empty()) return;
    if (all_covered(users, {Glob::literal(service.credentials->user)})) return;
  }
  if (policy.database.services.empty()) return;
  findings.add("never-matches", rule.where,
               fmt::format("database_connection_rules[{}].db_user", index),
               "db_user is the role that the server sees, which the service's credentials fix to "
               "another one",
               "client_identity, for the name that the client logs in with");
}

}  // namespace

void check_database(const Policy& policy, Findings& findings) {
  const DatabasePolicy& database = policy.database;
  for (std::size_t i = 0; i < database.rules.size(); ++i) {
    const DatabaseRule& rule = database.rules[i];
    check_message(rule.message, rule.where, fmt::format("database_rules[{}]", i),
                  {"Operation", "Subtype", "Schema", "Object", "Verb"}, findings);
  }
  for (std::size_t i = 0; i < database.connection_rules.size(); ++i) {
    const DatabaseConnectionRule& rule = database.connection_rules[i];
    check_message(rule.message, rule.where, fmt::format("database_connection_rules[{}]", i),
                  {"User", "Database", "ApplicationName", "ClientIdentity"}, findings);
    check_denied(policy, i, findings);
    check_users(policy, i, findings);
  }
}

}  // namespace agentsh::policy::lint_checks
