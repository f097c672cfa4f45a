// cd, pwd, export and unset change the session, not a process.
#pragma once

#include "appliance/sessions/session.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
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
boost::asio::awaitable<std::optional<BuiltinResult>> run_builtin(
    std::shared_ptr<Session> session, std::string name, std::vector<std::string> arguments);

}  // namespace agentsh
