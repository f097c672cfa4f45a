// Settings that a session gets at login and cannot lift: the statement timeout, and read-only
// transactions where no rule permits anything but reading. A second guard behind the classifier:
// what it would overlook the server then refuses.
//
// They go into the StartupMessage, so RESET and DISCARD ALL return to them.
#pragma once

#include "sqlguard/classifier/effect.h"
#include "sqlguard/rules/database_rules.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::sql {

class SessionFloor {
 public:
  SessionFloor() = default;
  SessionFloor(const DatabaseRules& rules, const policy::DbService& service);

  bool read_only() const { return read_only_; }
  // Parameters to set in the StartupMessage, in place of what the client sent under these names.
  std::vector<std::pair<std::string, std::string>> startup_parameters() const;
  // Why the statement may not run: it would lift one of the settings. Nothing when it does not.
  std::optional<std::string> refusal(const Statement& statement) const;
  // The same for a parameter of the client's StartupMessage (`options` has been taken apart).
  std::optional<std::string> refusal(std::string_view parameter, std::string_view value) const;

 private:
  bool read_only_ = false;
  std::optional<std::chrono::milliseconds> timeout_;
};

}  // namespace agentsh::sql
