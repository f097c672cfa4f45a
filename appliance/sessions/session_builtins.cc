#include "appliance/sessions/session_builtins.h"

namespace agentsh {
namespace {

BuiltinResult failed(const std::string& name, const std::string& sentence) {
  return {1, {}, name + ": " + sentence + "\n"};
}

BuiltinResult export_variables(Session& session, const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      return failed("export", "expected NAME=value, not " + assignment);
    session.set_variable(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
  return {};
}

}  // namespace

std::optional<BuiltinResult> run_builtin(Session& session, const std::string& name,
                                         const std::vector<std::string>& arguments) {
  if (name == "cd" && arguments.size() <= 1) {
    const std::string target = arguments.empty() ? session.workspace_root() : arguments[0];
    auto set = session.set_cwd(target);
    return set ? BuiltinResult{} : failed(name, set.error().what);
  }
  if (name == "pwd" && arguments.empty()) return BuiltinResult{0, session.cwd() + "\n", {}};
  if (name == "export") return export_variables(session, arguments);
  if (name == "unset") {
    for (const std::string& variable : arguments) session.unset_variable(variable);
    return BuiltinResult{};
  }
  return std::nullopt;
}

}  // namespace agentsh
