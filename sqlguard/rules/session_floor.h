// Settings that a session gets at login and cannot lift: the statement timeout, and read-only
// transactions where no rule permits anything but reading. A second guard behind the classifier:
// what it would overlook the server then refuses.
//
// They go into the StartupMessage, so RESET and DISCARD ALL return to them. A pooler between the
// guard and the server has to pass them on.
#pragma once

#include "policies/model_database.h"
#include "sqlguard/classifier/effect.h"
#include "sqlguard/codec/startup.h"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agentsh::sql {

class SessionFloor {
 public:
  SessionFloor() = default;
  SessionFloor(std::span<const policy::DatabaseRule> rules, const policy::DbService& service);

  bool read_only() const { return read_only_; }
  // Sets them, in place of what the client sent under these names.
  void impose_on(StartupMessage& startup) const;
  // Why the statement may not run: it would lift one of the settings. Nothing when it does not.
  std::optional<std::string> refusal(const Statement& statement) const;

 private:
  std::optional<std::string> refusal(std::string_view setting, std::string_view value) const;

  bool read_only_ = false;
  std::optional<std::chrono::milliseconds> timeout_;
};

}  // namespace agentsh::sql
