// What `session create` is asked for: the body of POST /sessions.
#pragma once

#include "base/json_reader.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh {

struct SessionRequest {
  std::string id;         // Empty: made up.
  std::string workspace;  // Absolute.
  std::string policy;     // Empty: policies.default.
  std::string home;       // Of the caller; used where it is the caller's own directory.
  std::string project_root;
  bool detect_project_root = true;
  std::optional<bool> real_paths;
  std::vector<std::uint16_t> host_ports;

  static Result<SessionRequest> parse(JsonValue body);
};

// ^[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}$
bool valid_session_id(std::string_view id);

std::string make_session_id();
// Is it one that make_session_id() gave? Then it named one session and never names another.
bool is_made_session_id(std::string_view id);

}  // namespace agentsh
