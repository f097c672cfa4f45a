#include "appliance/sessions/enforcement_warnings.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

constexpr std::size_t kNamedRules = 4;

struct Reason {
  std::string section;
  std::string note;
  std::vector<std::string> rules;
};

std::string sentence(const std::string& file, const Reason& reason) {
  std::string text = fmt::format("{}: {}: ", file, reason.section);
  for (std::size_t i = 0; i < reason.rules.size() && i < kNamedRules; ++i) {
    if (i > 0) text += ", ";
    text += reason.rules[i];
  }
  if (reason.rules.size() > kNamedRules)
    text += fmt::format(" and {} more", reason.rules.size() - kNamedRules);
  return text + ": " + reason.note;
}

}  // namespace

std::vector<std::string> enforcement_warnings(const policy::CompiledPolicy& policy,
                                              const std::string& workspace,
                                              const policy::HostCapabilities& host) {
  std::vector<Reason> reasons;
  for (auto& entry : not_enforced(enforcement_report(policy, workspace, host))) {
    std::string rule = fmt::format("{} (line {})", entry.rule, entry.where.line);
    auto same = std::ranges::find_if(reasons, [&](const Reason& reason) {
      return reason.section == entry.section && reason.note == entry.note;
    });
    if (same == reasons.end()) {
      reasons.push_back({std::move(entry.section), std::move(entry.note), {}});
      same = std::prev(reasons.end());
    }
    same->rules.push_back(std::move(rule));
  }
  std::vector<std::string> sentences;
  for (const Reason& reason : reasons) sentences.push_back(sentence(policy.policy().file, reason));
  return sentences;
}

Error refused_by_strict(const std::vector<std::string>& warnings) {
  Error error{std::make_error_code(std::errc::not_supported),
              "security.strict: the policy says more than is enforced here:"};
  for (const std::string& warning : warnings) error.what += "\n  " + warning;
  return error;
}

}  // namespace agentsh
