#include "policies/expansion.h"

#include "policies/glob.h"

#include <fmt/format.h>

namespace agentsh::policy {
namespace {

// Calls visit(text, key) for every glob in which variables are replaced. Works on a Policy and on a
// const one.
template <class AnyPolicy, class Visit>
void visit_globs(AnyPolicy& policy, Visit visit) {
  const auto section = [&](auto& rules, auto list, std::string_view section_name,
                           std::string_view key) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      auto& texts = rules[i].*list;
      for (std::size_t j = 0; j < texts.size(); ++j) {
        if (texts[j].text.find("${") == std::string::npos) continue;
        visit(texts[j], fmt::format("{}[{}].{}[{}]", section_name, i, key, j));
      }
    }
  };
  section(policy.file_rules, &FileRule::paths, "file_rules", "paths");
  section(policy.network_rules, &NetworkRule::domains, "network_rules", "domains");
  section(policy.command_rules, &CommandRule::commands, "command_rules", "commands");
  section(policy.unix_socket_rules, &UnixSocketRule::paths, "unix_socket_rules", "paths");
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

std::set<std::string> variables_of(const Policy& policy) {
  std::set<std::string> names;
  visit_globs(policy, [&](const LocatedText& text, const std::string&) {
    collect_variables(text.text, names);
  });
  for (const FileRule& rule : policy.file_rules) collect_variables(rule.redirect_to, names);
  return names;
}

void expand_policy(Policy& policy, const Variables& variables, Diagnostics& problems) {
  visit_globs(policy, [&](LocatedText& text, const std::string& key) {
    auto expanded = expand_variables(text.text, variables, escape_glob);
    if (!expanded) {
      problems.error(text.where, key, expanded.error().what);
    } else {
      text.text =
          key.starts_with("network_rules") ? lower(std::move(*expanded)) : std::move(*expanded);
    }
  });
  for (std::size_t i = 0; i < policy.file_rules.size(); ++i) {
    FileRule& rule = policy.file_rules[i];
    auto expanded = expand_variables(rule.redirect_to, variables);
    if (expanded) {
      rule.redirect_to = std::move(*expanded);
    } else {
      problems.error(rule.where, fmt::format("file_rules[{}].redirect_to", i),
                     expanded.error().what);
    }
  }
}

}  // namespace agentsh::policy
