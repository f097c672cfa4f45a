#include "appliance/sessions/session_builtins.h"

#include "appliance/sessions/directory_check.h"

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

boost::asio::awaitable<std::optional<BuiltinResult>> run_builtin(
    std::shared_ptr<Session> session, std::string name, std::vector<std::string> arguments) {
  if (name == "cd" && arguments.size() <= 1) {
    const std::string target = arguments.empty() ? session->workspace_root() : arguments[0];
    auto directory = session->resolved(target);
    if (!directory) co_return failed(name, directory.error().what);
    if (auto entered = co_await check_directory(session, *directory); !entered)
      co_return failed(name, entered.error().what);
    session->set_cwd(std::move(*directory));
    co_return BuiltinResult{};
  }
  if (name == "pwd" && arguments.empty()) co_return BuiltinResult{0, session->cwd() + "\n", {}};
  if (name == "export") co_return export_variables(*session, arguments);
  if (name == "unset") {
    for (const std::string& variable : arguments) session->unset_variable(variable);
    co_return BuiltinResult{};
  }
  co_return std::nullopt;
}

}  // namespace agentsh
