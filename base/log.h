// The operator's log: one line per happening on standard error (or in a file that stands in its
// place), "2026-11-24T06:02:25.123Z warn proxy: message". It is for people who run the appliance;
// what policy decided goes to the audit trail, not here.
//
//   log_warning("proxy", "listener {}: {}", endpoint, error.what);
#pragma once

#include "base/result.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace agentsh {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines below this level are dropped. Any thread; meant to be set once at start.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);

// Puts the file `path` in the place of standard error, for a process that has none that anybody
// reads: what libraries write there goes along. Appends; made with mode 0600 where it is missing. A
// line that makes it longer than `limit` bytes is the last one: the file becomes "<path>.1", in the
// place of an earlier one, and a new one begins. Once per process, before threads.
Result<> log_to_file(const std::string& path, std::uint64_t limit);

// Writes one line with one write(2), control bytes made visible. Any thread.
void write_log(LogLevel level, std::string_view component, std::string_view message);

template <class... Args>
void log_debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug)) {
    write_log(LogLevel::kDebug, component, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void log_info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kInfo)) {
    write_log(LogLevel::kInfo, component, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void log_warning(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kWarning, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kError, component, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace agentsh
