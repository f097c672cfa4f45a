#include "dlp/detector.h"

#include "dlp/vault.h"

namespace agentsh::dlp {

std::string_view to_string(Kind kind) {
  return kind == Kind::kSecret ? "secret" : "personal";
}

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kLow:
      return "low";
    case Severity::kMedium:
      return "medium";
    case Severity::kHigh:
      return "high";
    case Severity::kCritical:
      return "critical";
  }
  return "";
}

std::string Detector::tag() const {
  std::string tag;
  for (const char byte : id) {
    if (byte < 'a' || byte > 'z') continue;
    tag += static_cast<char>(byte - ('a' - 'A'));
    if (tag.size() == Vault::kMaxTag) break;
  }
  return tag;
}

}  // namespace agentsh::dlp
