#include "policies/lint_checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy::lint_checks {
namespace {

std::string key_of(std::size_t rule) {
  return fmt::format("file_rules[{}]", rule);
}

class FileLint {
 public:
  FileLint(const Policy& written, const CompiledPolicy& compiled, Findings& findings)
      : rules_(written.file_rules),
        expanded_(compiled.policy().file_rules),
        compiled_(compiled),
        findings_(findings) {
    for (const FileRule& rule : expanded_) {
      std::vector<Glob>& globs = globs_.emplace_back();
      for (const LocatedText& path : rule.paths) {
        if (auto glob = Glob::parse(path.text, '/')) globs.push_back(std::move(*glob));
      }
    }
  }

  void run() {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      check_message(rules_[i], key_of(i), {"Path", "Operation"}, findings_);
      check_paths(i);
      check_directories(i);
      if (i < kMostCompared) check_shadow(i);
    }
  }

 private:
  void check_paths(std::size_t index) {
    const FileRule& rule = rules_[index];
    if (rule.paths.empty()) {
      findings_.add("never-matches", rule.where, key_of(index) + ".paths",
                    "is empty, so that the rule never matches", "[\"**\"]");
    }
    for (std::size_t j = 0; j < rule.paths.size(); ++j) {
      check_path(rule.paths[j], fmt::format("{}.paths[{}]", key_of(index), j));
    }
  }

  void check_path(const LocatedText& path, const std::string& key) {
    const std::string& text = path.text;
    const auto never = [&](std::string_view why, std::string suggestion) {
      findings_.add("never-matches", path.where, key,
                    fmt::format("\"{}\" matches no path: {}", text, why), std::move(suggestion));
    };
    if (text.starts_with("~/")) return never("~ is not replaced", "${HOME}" + text.substr(1));
    if (text.size() > 1 && text.ends_with('/')) {
      return never("paths have no final slash", text + "**");
    }
    if (text.contains("//")) return never("paths have no empty parts", "");
    if (text.contains("/../") || text.contains("/./")) return never("paths are resolved", "");
    const bool anywhere = text.starts_with('/') || text.starts_with("**") ||
                          text.starts_with("${") || text.starts_with('{');
    if (!anywhere) return never("paths are absolute", "**/" + text);
  }

  // A denial of everything in a directory that leaves the directory itself.
  void check_directories(std::size_t index) {
    const FileRule& rule = rules_[index];
    const auto rename = static_cast<std::size_t>(FileOperation::kRename);
    if (rule.decision != Decision::kDeny || !rule.operations.test(rename)) return;
    for (std::size_t j = 0; j < rule.paths.size(); ++j) {
      const std::string& expanded = expanded_[index].paths[j].text;
      constexpr std::string_view kBelow = "/**";
      if (!expanded.ends_with(kBelow) || expanded.size() == kBelow.size()) continue;
      auto glob = Glob::parse(expanded.substr(0, expanded.size() - kBelow.size()), '/');
      if (!glob || !glob->is_literal()) continue;
      const Verdict verdict =
          compiled_.decide(FileFacts{.path = glob->literal_prefix(), .operation = "rename"});
      if (!verdict.permitted()) continue;
      findings_.add("directory-left-open", rule.paths[j].where,
                    fmt::format("{}.paths[{}]", key_of(index), j),
                    fmt::format("does not match the directory itself, which rule \"{}\" lets be "
                                "renamed: list it too",
                                verdict.rule()),
                    rule.paths[j].text.substr(0, rule.paths[j].text.size() - kBelow.size()));
    }
  }

  void check_shadow(std::size_t index) {
    if (globs_[index].empty()) return;
    for (std::size_t i = 0; i < index; ++i) {
      const bool operations = (expanded_[index].operations & ~expanded_[i].operations).none();
      if (!operations || !all_covered(globs_[i], globs_[index])) continue;
      const bool same = expanded_[i].decision == expanded_[index].decision;
      findings_.add("shadowed-rule", rules_[index].where, key_of(index),
                    fmt::format("rule \"{}\" at line {} decides all of it first{}", rules_[i].name,
                                rules_[i].where.line, same ? " (the same way)" : ""));
      return;
    }
  }

  const std::vector<FileRule>& rules_;
  const std::vector<FileRule>& expanded_;
  const CompiledPolicy& compiled_;
  std::vector<std::vector<Glob>> globs_;
  Findings& findings_;
};

}  // namespace

void check_files(const Policy& written, const CompiledPolicy& compiled, Findings& findings) {
  FileLint(written, compiled, findings).run();
}

}  // namespace agentsh::policy::lint_checks
