// The operator's log: one line per happening on standard error, "2026-11-24T06:02:25.123Z warn
// proxy: message". It is for people who run the appliance; what policy decided goes to the audit
// trail, not here.
//
//   log_warning("proxy", "listener {}: {}", endpoint, error.what);
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace agentsh {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines below this level are dropped. Any thread; meant to be set once at start.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);

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
