#include "policies/lint.h"

#include "policies/expansion.h"
#include "policies/glob_cover.h"
#include "policies/lint_checks.h"
#include "policies/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace agentsh::policy {
namespace {

using namespace lint_checks;

// Different absolute paths for the variables, none within another.
Variables stand_ins(const Policy& policy) {
  Variables::Map values;
  for (const std::string& name : variables_of(policy)) values[name] = "/<" + name + ">";
  return Variables(std::move(values));
}

template <class Rule>
void check_names(const std::vector<Rule>& rules, std::string_view section, Findings& findings) {
  std::map<std::string_view, SourcePosition> seen;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto [first, added] = seen.emplace(rules[i].name, rules[i].where);
    if (added) continue;
    findings.add("duplicate-name", rules[i].where, fmt::format("{}[{}].name", section, i),
                 fmt::format("\"{}\" is also the name of the rule at line {}", rules[i].name,
                             first->second.line));
  }
}

}  // namespace

namespace lint_checks {

bool all_covered(const std::vector<Glob>& wider, const std::vector<Glob>& narrower) {
  return std::ranges::all_of(narrower, [&](const Glob& inner) {
    return std::ranges::any_of(wider, [&](const Glob& outer) { return glob_covers(outer, inner); });
  });
}

void check_message(const std::string& message, SourcePosition where, std::string_view key,
                   std::initializer_list<std::string_view> known, Findings& findings) {
  for (std::string_view name : message_names(message)) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::vector<std::string_view> candidates(known);
    findings.add(
        "unknown-placeholder", where, fmt::format("{}.message", key),
        fmt::format("{{{{.{}}}}} is shown as it is written: there is no such value here", name),
        std::string(closest_word(name, candidates).value_or("")));
  }
}

}  // namespace lint_checks

std::vector<Diagnostic> lint(const Policy& policy) {
  Findings findings(policy.file);
  auto compiled = CompiledPolicy::compile(policy, stand_ins(policy));
  if (!compiled) return {};  // The loader has checked every pattern.
  check_names(policy.file_rules, "file_rules", findings);
  check_names(policy.network_rules, "network_rules", findings);
  check_names(policy.command_rules, "command_rules", findings);
  check_names(policy.unix_socket_rules, "unix_socket_rules", findings);
  check_names(policy.signal_rules, "signal_rules", findings);
  check_names(policy.dns_redirects, "dns_redirects", findings);
  check_names(policy.connect_redirects, "connect_redirects", findings);
  check_names(policy.database.rules, "database_rules", findings);
  check_names(policy.database.connection_rules, "database_connection_rules", findings);
  check_network(policy, **compiled, findings);
  check_redirects(policy, findings);
  check_files(policy, **compiled, findings);
  check_commands(policy, **compiled, findings);
  check_database(policy, findings);
  return findings.sorted();
}

bool has_warnings(const std::vector<Diagnostic>& findings) {
  return std::ranges::any_of(
      findings, [](const Diagnostic& finding) { return finding.severity != Severity::kNote; });
}

}  // namespace agentsh::policy
