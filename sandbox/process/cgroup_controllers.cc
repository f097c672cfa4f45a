#include "sandbox/process/cgroup_controllers.h"

#include "base/file_io.h"
#include "sandbox/process/cgroup_files.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <vector>

namespace agentsh::sandbox {
namespace {

constexpr std::string_view kDaemonGroup = "/agentsh-daemon";
constexpr std::size_t kSmall = 4096;

bool has_word(const std::string& text, std::string_view word) {
  std::istringstream words(text);
  for (std::string each; words >> each;) {
    if (each == word) return true;
  }
  return false;
}

// Those that `group` has and does not hand down.
std::vector<std::string_view> missing_below(const std::string& group) {
  const std::string has = read_file(group + "/cgroup.controllers", kSmall).value_or("");
  const std::string hands_down = read_file(group + "/cgroup.subtree_control", kSmall).value_or("");
  std::vector<std::string_view> missing;
  for (std::string_view controller : kLimitControllers) {
    if (has_word(has, controller) && !has_word(hands_down, controller))
      missing.push_back(controller);
  }
  return missing;
}

std::string joined(std::span<const std::string_view> words, std::string_view before) {
  std::string text;
  for (std::string_view word : words) {
    if (!text.empty()) text += ' ';
    text.append(before).append(word);
  }
  return text;
}

Result<> hand_down(const std::string& group) {
  const auto missing = missing_below(group);
  if (missing.empty()) return {};
  return write_control(group + "/cgroup.subtree_control", joined(missing, "+"));
}

// Empties the daemon's own group of the daemon. Fails where others are in it.
Result<> step_aside(const std::string& own, pid_t self) {
  auto processes = read_file(own + "/cgroup.procs", 4 << 20);
  if (!processes) return std::unexpected(processes.error());
  bool here = false;
  std::istringstream pids(*processes);
  for (pid_t pid; pids >> pid;) {
    if (pid != self) return fail("other processes are in that group");
    here = true;
  }
  if (!here) return {};
  const std::string aside = own + std::string(kDaemonGroup);
  if (::mkdir(aside.c_str(), 0755) != 0 && errno != EEXIST)
    return std::unexpected(errno_error("mkdir", aside));
  return write_control(aside + "/cgroup.procs", std::to_string(self));
}

Result<> open_own(const std::string& own, pid_t self, bool delegated) {
  if (!delegated) return fail("it was not delegated to this daemon (systemd: Delegate=yes)");
  if (auto free = step_aside(own, self); !free) return free;
  return hand_down(own);
}

}  // namespace

bool is_delegated(const std::string& path) {
  // The host's root group alone has no type.
  struct stat status{};
  if (::stat((path + "/cgroup.type").c_str(), &status) != 0) return false;
  if (::stat(path.c_str(), &status) != 0) return false;
  if (::geteuid() != 0)
    return status.st_uid == ::geteuid() &&
           ::access((path + "/cgroup.subtree_control").c_str(), W_OK) == 0;
  // systemd.resource-control(5) on Delegate=: both are set to "1".
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    char value = 0;
    if (::getxattr(path.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  // The top of a control group namespace: a container's.
  return read_file("/proc/self/cgroup", 1 << 16).value_or("").contains("0::/\n");
}

Result<> enable_controllers(const std::string& own, std::span<const std::string> below, pid_t self,
                            bool delegated) {
  if (const auto missing = missing_below(own); !missing.empty()) {
    if (auto opened = open_own(own, self, delegated); !opened) {
      return std::unexpected(with_context(
          opened.error(), own + " does not hand down the controllers " + joined(missing, "")));
    }
  }
  for (const std::string& group : below) {
    if (auto done = hand_down(group); !done) return done;
  }
  return {};
}

}  // namespace agentsh::sandbox
