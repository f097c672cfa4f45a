// agentsh-shell-shim: stands where a shell was (/bin/sh, /bin/bash), which is beside it as
// NAME.real. Inside a session it becomes that shell; outside it becomes `agentsh exec`, which
// starts the same shell in a session. It always does, whether there is a terminal or not, and a
// shell that cannot be put in a session does not start.
//
// It touches no descriptor: what is on standard input reaches the shell as it is.
//
// It is a convenience and not the wall: who runs sh.real goes past it, into whatever else holds the
// process.
#include "appliance/shim/shim_settings.h"
#include "base/file_io.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace agentsh;

constexpr int kRefused = 126;
constexpr int kNotStarted = 127;

int refuse(int code, const std::string& what) {
  const std::string line = "agentsh-shell-shim: " + what + "\n";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, line.data(), line.size());
  return code;
}

std::string own_path() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string();
}

// The variable alone is anybody's to set: a session's processes can gain no privileges and run
// under a filter, both for good.
bool in_session() {
  if (std::getenv("AGENTSH_IN_SESSION") == nullptr) return false;
  const auto status = read_file("/proc/self/status", 1 << 16);
  return status && status->find("\nNoNewPrivs:\t1\n") != std::string::npos &&
         status->find("\nSeccomp:\t2\n") != std::string::npos;
}

std::string agentsh_program() {
  if (const char* named = std::getenv("AGENTSH_BIN"); named != nullptr && *named == '/')
    return named;
  for (const char* place : {AGENTSH_PROGRAM, "/usr/bin/agentsh", "/usr/local/bin/agentsh"}) {
    if (::access(place, X_OK) == 0) return place;
  }
  return AGENTSH_PROGRAM;
}

int become(const std::string& program, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return refuse(errno == ENOENT ? kNotStarted : kRefused,
                program + ": " + std::strerror(errno) + "; the shell does not start without it");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string self = own_path();
  if (self.empty()) return refuse(kNotStarted, "/proc is not mounted");
  const std::vector<std::string> given(argv, argv + argc);
  if (in_session()) return become(self + ".real", given);
  const auto settings = shim::load_settings(shim::kSettingsFile);
  if (!settings) return refuse(kRefused, settings.error().what);
  if (!settings->force && ::isatty(STDIN_FILENO) == 0) return become(self + ".real", given);

  std::vector<std::string> arguments = {"agentsh", "exec"};
  if (!given.empty()) arguments.insert(arguments.end(), {"--argv0", given.front()});
  const char* session = std::getenv("AGENTSH_SESSION_ID");
  if ((session == nullptr || *session == 0) && !settings->session.empty())
    arguments.push_back(settings->session);
  arguments.insert(arguments.end(), {"--", self});
  if (given.size() > 1) arguments.insert(arguments.end(), given.begin() + 1, given.end());
  return become(agentsh_program(), std::move(arguments));
}
