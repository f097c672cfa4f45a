#include "base/log.h"

#include "base/encoding.h"
#include "base/time_format.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>

namespace agentsh {
namespace {

std::atomic<LogLevel> minimum_level = LogLevel::kInfo;

std::string_view name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "?";
}

}  // namespace

void set_log_level(LogLevel level) {
  minimum_level.store(level, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) {
  return level >= minimum_level.load(std::memory_order_relaxed);
}

void write_log(LogLevel level, std::string_view component, std::string_view message) {
  if (!log_enabled(level)) return;
  std::string time = format_rfc3339(std::chrono::system_clock::now());
  time.replace(23, time.size() - 24, "");  // Milliseconds are enough for people.
  std::string line = fmt::format(
      "{} {} {}: {}\n", time, name(level), component,
      is_utf8(message) && message.find_first_of("\n\r\x1b") == message.npos ? std::string(message)
                                                                            : printable(message));
  // A log that cannot be written has nobody to tell.
  [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace agentsh
