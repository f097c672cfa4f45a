// cd, pwd, export and unset change the session, not a process.
#pragma once

#include "appliance/sessions/session.h"

#include <optional>
#include <string>
#include <vector>

namespace agentsh {

struct BuiltinResult {
  int exit_code = 0;
  std::string standard_output;
  std::string standard_error;
};

// Empty: no builtin.
std::optional<BuiltinResult> run_builtin(Session& session, const std::string& name,
                                         const std::vector<std::string>& arguments);

}  // namespace agentsh
