#include "base/log.h"

#include "base/encoding.h"
#include "base/time_format.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>

namespace agentsh {
namespace {

std::atomic<LogLevel> minimum_level = LogLevel::kInfo;

// The file in the place of standard error; an empty path: there is none.
struct LogFile {
  std::string path;
  std::uint64_t limit = 0;
  std::mutex turning;
};
LogFile log_file;

Result<> take_place_of_standard_error() {
  UniqueFd file(
      ::open(log_file.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return std::unexpected(errno_error("open", log_file.path));
  if (::dup2(file.get(), STDERR_FILENO) < 0) return std::unexpected(errno_error("dup2"));
  return {};
}

bool is_full() {
  struct stat status{};
  return ::fstat(STDERR_FILENO, &status) == 0 &&
         static_cast<std::uint64_t>(status.st_size) > log_file.limit;
}

// Other threads may write to the old file meanwhile: nothing is lost.
void turn_over() {
  const std::lock_guard lock(log_file.turning);
  if (!is_full()) return;  // Another thread was first.
  if (std::rename(log_file.path.c_str(), (log_file.path + ".1").c_str()) != 0) return;
  [[maybe_unused]] auto ignored =
      take_place_of_standard_error();  // Else it goes on in the old one.
}

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

Result<> log_to_file(const std::string& path, std::uint64_t limit) {
  log_file.path = path;
  log_file.limit = limit;
  auto done = take_place_of_standard_error();
  if (!done) log_file.path.clear();
  return done;
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
  if (!log_file.path.empty() && is_full()) turn_over();
}

}  // namespace agentsh
