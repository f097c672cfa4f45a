#include "policies/lint_checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy::lint_checks {
namespace {

std::string key_of(std::size_t rule) {
  return fmt::format("command_rules[{}]", rule);
}

class CommandLint {
 public:
  CommandLint(const Policy& written, const CompiledPolicy& compiled, Findings& findings)
      : rules_(written.command_rules), findings_(findings) {
    for (const CommandRule& rule : compiled.policy().command_rules) {
      std::vector<Glob>& names = names_.emplace_back();
      std::vector<Glob>& paths = paths_.emplace_back();
      for (const LocatedText& command : rule.commands) {
        const bool path = command.text.contains('/');
        auto glob = Glob::parse(command.text, path ? '/' : kNoSeparator);
        if (glob) (path ? paths : names).push_back(std::move(*glob));
      }
    }
  }

  void run() {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      check_message(rules_[i], key_of(i), {"Command", "Args"}, findings_);
      check_words(i);
      check_patterns(i);
      if (i < kMostCompared) check_shadow(i);
    }
  }

 private:
  void check_words(std::size_t index) {
    const CommandRule& rule = rules_[index];
    for (std::size_t j = 0; j < rule.commands.size(); ++j) {
      const LocatedText& command = rule.commands[j];
      const std::string key = fmt::format("{}.commands[{}]", key_of(index), j);
      const std::string& text = command.text;
      if (text.contains(' ') && !text.contains('/')) {
        const std::size_t space = text.find(' ');
        findings_.add("never-matches", command.where, key,
                      fmt::format("\"{}\" is no name of a program: arguments are matched by "
                                  "args_patterns (\"^{}\")",
                                  text, text.substr(space + 1)),
                      text.substr(0, space));
      } else if (text.starts_with("./") || text.starts_with("../") || text.starts_with("~/")) {
        findings_.add("never-matches", command.where, key,
                      fmt::format("\"{}\" matches no program: paths are absolute", text));
      }
    }
  }

  void check_patterns(std::size_t index) {
    const CommandRule& rule = rules_[index];
    for (std::size_t j = 0; j < rule.args_patterns.size(); ++j) {
      const Pattern& pattern = rule.args_patterns[j];
      if (!pattern.found_in("") || !pattern.found_in("\x01 other arguments")) continue;
      findings_.add("matches-anything", rule.args_where[j],
                    fmt::format("{}.args_patterns[{}]", key_of(index), j),
                    fmt::format("\"{}\" is found in any arguments, so that the others say nothing",
                                pattern.text()));
    }
  }

  void check_shadow(std::size_t index) {
    for (std::size_t i = 0; i < index; ++i) {
      if (!covers(i, index)) continue;
      const bool same = rules_[i].decision == rules_[index].decision;
      findings_.add("shadowed-rule", rules_[index].where, key_of(index),
                    fmt::format("rule \"{}\" at line {} decides all of it first{}", rules_[i].name,
                                rules_[i].where.line, same ? " (the same way)" : ""));
      return;
    }
  }

  bool covers(std::size_t wider, std::size_t narrower) const {
    const CommandRule& outer = rules_[wider];
    const CommandRule& inner = rules_[narrower];
    const bool depth =
        outer.min_depth <= inner.min_depth &&
        (outer.max_depth < 0 || (inner.max_depth >= 0 && inner.max_depth <= outer.max_depth));
    if (!depth) return false;
    const bool commands = outer.commands.empty() || (!inner.commands.empty() &&
                                                     all_covered(names_[wider], names_[narrower]) &&
                                                     all_covered(paths_[wider], paths_[narrower]));
    if (!commands) return false;
    if (outer.args_patterns.empty()) return true;
    return !inner.args_patterns.empty() &&
           std::ranges::all_of(inner.args_patterns, [&](const Pattern& pattern) {
             return std::ranges::any_of(outer.args_patterns, [&](const Pattern& other) {
               return other.text() == pattern.text();
             });
           });
  }

  const std::vector<CommandRule>& rules_;
  std::vector<std::vector<Glob>> names_;
  std::vector<std::vector<Glob>> paths_;
  Findings& findings_;
};

}  // namespace

void check_commands(const Policy& written, const CompiledPolicy& compiled, Findings& findings) {
  CommandLint(written, compiled, findings).run();
}

}  // namespace agentsh::policy::lint_checks
