// A command of a session, running or finished.
#pragma once

#include "base/json_writer.h"
#include "base/time_format.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh {

struct CommandUsage {
  std::chrono::microseconds user{};
  std::chrono::microseconds system{};
  std::int64_t max_rss_kb = 0;
};

struct StoredOutput {
  std::string text;
  std::uint64_t total = 0;
};

struct RunningCommand {
  std::string id;  // "cmd-<uuid>"
  std::string command;
  std::vector<std::string> args;
  WallTime started_at{};
  std::uint64_t spawn_id = 0;
  pid_t pid = 0;        // In the daemon's PID namespace.
  bool killed = false;  // By `agentsh kill` or a time-out.

  // Once it has ended:
  std::optional<int> exit_code;
  std::chrono::milliseconds duration{};
  CommandUsage usage;
  // Kept for paging where it was collected.
  StoredOutput standard_output;
  StoredOutput standard_error;

  bool finished() const { return exit_code.has_value(); }
  void write_json(JsonWriter& json) const;
};

}  // namespace agentsh
