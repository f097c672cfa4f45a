// Internal to lint: what its files share.
#pragma once

#include "policies/compiled_policy.h"
#include "policies/diagnostic.h"

#include <string>
#include <string_view>

namespace agentsh::policy::lint_checks {

// Where findings go. The severity is a warning unless said.
class Findings {
 public:
  explicit Findings(std::string file) : all_(std::move(file)) {}

  void add(std::string_view check, SourcePosition where, std::string key, std::string message,
           std::string suggestion = {}) {
    add(Severity::kWarning, check, where, std::move(key), std::move(message),
        std::move(suggestion));
  }
  void note(std::string_view check, SourcePosition where, std::string key, std::string message) {
    add(Severity::kNote, check, where, std::move(key), std::move(message), {});
  }
  const std::vector<Diagnostic>& sorted() const { return all_.sorted(); }

 private:
  void add(Severity severity, std::string_view check, SourcePosition where, std::string key,
           std::string message, std::string suggestion) {
    all_.add({.severity = severity,
              .where = where,
              .key = std::move(key),
              .message = std::move(message),
              .suggestion = std::move(suggestion),
              .check = std::string(check)});
  }
  Diagnostics all_;
};

// Rules beyond this many of a section are not compared with each other.
inline constexpr std::size_t kMostCompared = 2000;

// `written` has the author's text (with variables), `compiled` stand-ins for them.
void check_network(const Policy& written, const CompiledPolicy& compiled, Findings& findings);
void check_redirects(const Policy& written, Findings& findings);
void check_files(const Policy& written, const CompiledPolicy& compiled, Findings& findings);
void check_commands(const Policy& written, const CompiledPolicy& compiled, Findings& findings);
void check_database(const Policy& written, Findings& findings);

// Does every glob of `narrower` have one of `wider` that covers it?
bool all_covered(const std::vector<Glob>& wider, const std::vector<Glob>& narrower);
// A message's placeholders that are not among `known`.
void check_message(const std::string& message, SourcePosition where, std::string_view key,
                   std::initializer_list<std::string_view> known, Findings& findings);
inline void check_message(const RuleHead& rule, std::string_view key,
                          std::initializer_list<std::string_view> known, Findings& findings) {
  check_message(rule.message, rule.where, key, known, findings);
}

}  // namespace agentsh::policy::lint_checks
