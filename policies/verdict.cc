#include "policies/verdict.h"

#include <fmt/format.h>

namespace agentsh::policy {

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::kAllow:
      return "allow";
    case Decision::kDeny:
      return "deny";
    case Decision::kApprove:
      return "approve";
    case Decision::kRedirect:
      return "redirect";
    case Decision::kAudit:
      return "audit";
    case Decision::kSoftDelete:
      return "soft_delete";
    case Decision::kAbsorb:
      return "absorb";
  }
  return "deny";
}

Verdict Verdict::settled(bool approved, std::string_view id, std::string_view reason) && {
  approval_id_ = std::string(id);
  if (!approved) {
    effective_ = Decision::kDeny;
    message_ = message_.empty() ? std::string(reason) : fmt::format("{} ({})", message_, reason);
  } else {
    effective_ = redirect_ == nullptr ? Decision::kAllow : Decision::kRedirect;
  }
  return std::move(*this);
}

}  // namespace agentsh::policy
