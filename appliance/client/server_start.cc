#include "appliance/client/server_start.h"

#include "appliance/client/log_hint.h"
#include "appliance/config/paths.h"
#include "base/file_io.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

namespace agentsh::client {
namespace {

constexpr int kStartTimeoutMs = 15'000;

[[noreturn]] void become_server(const std::string& program, const std::string& config, int ready,
                                int log) {
  ::setsid();
  // The server outlives this process: it must not keep the caller's directory, terminal or pipes.
  if (::chdir("/") != 0) ::_exit(127);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, 0);
  ::dup2(null, 1);
  ::dup2(log, 2);
  const std::string descriptor = std::to_string(ready);
  ::fcntl(ready, F_SETFD, 0);
  std::vector<const char*> argv = {"agentshd", "server", "--on-demand", "--ready-fd",
                                   descriptor.c_str()};
  if (!config.empty()) argv.insert(argv.end(), {"--config", config.c_str()});
  argv.push_back(nullptr);
  ::execv(program.c_str(), const_cast<char* const*>(argv.data()));
  const std::string message = program + ": " + errno_error("exec").what + "\n";
  [[maybe_unused]] ssize_t ignored = ::write(2, message.data(), message.size());
  ::_exit(127);
}

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe"));
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

std::string absolute(const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  std::vector<char> here(4096);
  return ::getcwd(here.data(), here.size()) == nullptr ? path
                                                       : std::string(here.data()) + "/" + path;
}

}  // namespace

Result<> start_server(const std::string& program, const std::string& config) {
  auto ready = make_pipe();
  if (!ready) return std::unexpected(ready.error());
  auto log = make_pipe();
  if (!log) return std::unexpected(log.error());
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(errno_error("fork"));
  if (child == 0) {
    // Twice, so that the server is nobody's child and leaves no zombie here.
    if (::fork() != 0) ::_exit(0);
    become_server(program, absolute(config), ready->second.get(), log->second.get());
  }
  ::waitpid(child, nullptr, 0);
  ready->second.reset();
  log->second.reset();

  // "ready\n" on the pipe: it listens. "busy\n", or the end of the pipe: it ended, and said why.
  pollfd entry{ready->first.get(), POLLIN, 0};
  int polled;
  do {
    polled = ::poll(&entry, 1, kStartTimeoutMs);
  } while (polled < 0 && errno == EINTR);
  if (polled == 0)
    return fail("the server did not come up within 15 seconds", std::errc::timed_out);
  char byte;
  const bool answered = ::read(ready->first.get(), &byte, 1) == 1;
  if (answered && byte == 'r') return {};
  auto said = read_all(log->first.get(), 64 << 10, "server log");
  std::string reason =
      said && !said->empty() ? *said : "it ended without a word" + log_hint(default_socket_path());
  while (reason.ends_with('\n')) reason.pop_back();
  return fail("the server could not be started: " + reason,
              answered ? std::errc::device_or_resource_busy : std::errc::invalid_argument);
}

}  // namespace agentsh::client
