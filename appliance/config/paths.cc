#include "appliance/config/paths.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace agentsh {
namespace {

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string home_of(uid_t uid) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return "/";
  }
  return found->pw_dir;
}

bool is_absolute(const std::string& path) {
  return path.starts_with('/');
}

}  // namespace

DefaultPaths default_paths(uid_t uid, const std::function<std::string(const char*)>& variable,
                           const std::string& home) {
  if (uid == 0) {
    return {"/etc/agentsh", "/var/lib/agentsh", "/run/agentsh", "/run/agentsh/agentsh.sock"};
  }
  const std::string set_home = variable("HOME");
  const std::string base = is_absolute(set_home) ? set_home : home;
  auto below = [&](const char* name, const std::string& otherwise) {
    const std::string value = variable(name);
    return (is_absolute(value) ? value : otherwise) + "/agentsh";
  };
  DefaultPaths paths;
  paths.config_directory = below("XDG_CONFIG_HOME", base + "/.config");
  paths.state_directory = below("XDG_STATE_HOME", base + "/.local/state");
  const std::string runtime = variable("XDG_RUNTIME_DIR");
  paths.runtime_directory =
      is_absolute(runtime) ? runtime + "/agentsh" : "/tmp/agentsh-" + std::to_string(uid);
  paths.socket = paths.runtime_directory + "/agentsh.sock";
  return paths;
}

DefaultPaths default_paths() {
  const uid_t uid = ::geteuid();
  // The user database is asked only when HOME has no answer: it may go to the network.
  const bool needs_home = uid != 0 && !is_absolute(environment_variable("HOME"));
  return default_paths(uid, environment_variable, needs_home ? home_of(uid) : "");
}

std::string default_socket_path() {
  return default_paths().socket;
}

std::string log_link_path(const std::string& socket) {
  return socket + ".log";
}

Result<> make_private_directory(const std::string& path, uid_t owner) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return std::unexpected(errno_error("mkdir", path));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return std::unexpected(errno_error("lstat", path));
  if (!S_ISDIR(status.st_mode)) {
    return fail(path + ": must be a directory", std::errc::not_a_directory);
  }
  if (status.st_uid != owner || (status.st_mode & 077) != 0) {
    return fail(path + ": must belong to user id " + std::to_string(owner) +
                    " and be closed to everyone else (mode 0700); remove it, or set " +
                    "XDG_RUNTIME_DIR to a directory of your own",
                std::errc::permission_denied);
  }
  return {};
}

}  // namespace agentsh
