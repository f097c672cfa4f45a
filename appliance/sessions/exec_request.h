// What `exec` is asked to do: the body of POST /sessions/{id}/exec.
#pragma once

#include "base/json_reader.h"
#include "base/result.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agentsh {

enum class IncludeEvents { kAll, kSummary, kBlocked, kNone };

struct ExecRequest {
  std::string command;
  std::string argv0;
  std::vector<std::string> args;
  std::optional<std::chrono::nanoseconds> timeout;
  std::string working_directory;
  bool working_directory_optional =
      false;  // Fall back to the session's where it does not exist in the session.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string stdin_text;
  IncludeEvents include_events = IncludeEvents::kSummary;
  mode_t umask = 022;
  std::uint8_t terminal_fds = 0;
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
  // For a session that does not exist yet.
  std::string workspace;
  std::string policy;

  // Fails with a sentence that names the key.
  static Result<ExecRequest> parse(JsonValue body);

  std::string command_line() const;  // For people: arguments joined by blanks.
};

}  // namespace agentsh
