#include "sandbox/process/cgroup.h"

#include "base/file_io.h"
#include "base/log.h"
#include "sandbox/process/cgroup_controllers.h"
#include "sandbox/process/cgroup_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>

namespace agentsh::sandbox {
namespace {

constexpr std::string_view kFolder = "agentsh";
constexpr auto kEmptyTimeout = std::chrono::seconds(5);

// The mount point of a hierarchy from /proc/self/mountinfo: cgroup2 for an empty `controller`, else
// the v1 hierarchy with that controller.
std::optional<std::string> mount_point(std::string_view controller) {
  auto mounts = read_file("/proc/self/mountinfo", 4 << 20);
  if (!mounts) return {};
  std::istringstream lines(*mounts);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    std::istringstream before(line.substr(0, separator)), after(line.substr(separator + 3));
    std::string id, parent, device, root, target, type, source, options;
    before >> id >> parent >> device >> root >> target;
    after >> type >> source >> options;
    if (controller.empty()
            ? type == "cgroup2"
            : type == "cgroup" &&
                  ("," + options + ",").contains("," + std::string(controller) + ",")) {
      return target;
    }
  }
  return {};
}

// Our place in the unified hierarchy: the path of the line "0::/path" in /proc/self/cgroup.
std::string own_path() {
  auto groups = read_file("/proc/self/cgroup", 1 << 16);
  if (!groups) return "/";
  const std::size_t line = groups->find("0::");
  if (line == std::string::npos) return "/";
  const std::size_t end = groups->find('\n', line);
  return groups->substr(line + 3, end - line - 3);
}

bool populated(const std::string& path) {
  auto events = read_file(path + "/cgroup.events", 4096);
  return events && events->contains("populated 1");
}

// Waits for cgroup.events to say that nothing runs in the group any more.
bool wait_until_empty(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kEmptyTimeout;
  UniqueFd events(::open((path + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  while (events && populated(path)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    // The kernel wakes POLLPRI when the file changes, but only relative to the last read of this
    // descriptor.
    char buffer[256];
    if (::pread(events.get(), buffer, sizeof buffer, 0) < 0) return true;
    pollfd entry{events.get(), POLLPRI, 0};
    ::poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 100)));
  }
  return true;
}

void kill_all(const std::string& path) {
  if (write_control(path + "/cgroup.kill", "1")) return;
  // Before Linux 5.14 there is no cgroup.kill.
  auto processes = read_file(path + "/cgroup.procs", 4 << 20);
  if (!processes) return;
  std::istringstream pids(*processes);
  for (pid_t pid; pids >> pid;) ::kill(pid, SIGKILL);
}

// "agentsh/<instance>/<session>": the part of a group's path that is the same in every hierarchy.
std::string_view place(std::string_view path) {
  return path.substr(path.rfind("/" + std::string(kFolder) + "/") + 1);
}

// A v1 hierarchy's directory for the session, made and joined.
Result<std::string> join_v1(std::string_view controller, const std::string& group, pid_t init) {
  auto mount = mount_point(controller);
  if (!mount)
    return fail(std::string(controller) + ": the daemon's control group does not hand it down");
  const std::string directory = *mount + "/" + std::string(place(group));
  if (auto made = make_directories(directory, 0755); !made) return std::unexpected(made.error());
  if (auto joined = write_control(directory + "/cgroup.procs", std::to_string(init)); !joined) {
    return std::unexpected(joined.error());
  }
  return directory;
}

// Where v1 hierarchies may have a directory for the group.
std::vector<std::string> v1_places(const std::string& group) {
  std::vector<std::string> places;
  for (const char* controller : {"memory", "pids", "cpu"}) {
    if (auto mount = mount_point(controller)) {
      places.push_back(*mount + "/" + std::string(place(group)));
    }
  }
  return places;
}

}  // namespace

Result<std::string> Cgroup::base_directory(const std::string& instance) {
  auto mount = mount_point("");
  if (!mount) return fail("no cgroup v2 hierarchy is mounted", std::errc::not_supported);
  const std::string own_place = own_path();
  const std::string own = *mount + (own_place == "/" ? "" : own_place);
  const std::string folder = own + "/" + std::string(kFolder);
  const std::string base = folder + "/" + instance;
  for (const std::string& directory : {folder, base}) {
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
      return std::unexpected(errno_error("mkdir", directory));
  }
  if (::access(base.c_str(), W_OK) != 0) return std::unexpected(errno_error("write to", base));
  const std::string below[] = {folder, base};
  if (auto enabled = enable_controllers(own, below, ::getpid(), is_delegated(own)); !enabled)
    log_info("sandbox", "resource limits: {}", enabled.error().what);
  return base;
}

Result<Cgroup> Cgroup::create(const std::string& base, const std::string& name) {
  const std::string path = base + "/" + name;
  int made = ::mkdir(path.c_str(), 0755);
  if (made != 0 && errno == ENOENT) {
    // Somebody has tidied up the empty base.
    if (auto again = make_directories(base, 0755); !again) return std::unexpected(again.error());
    made = ::mkdir(path.c_str(), 0755);
  }
  if (made != 0) return std::unexpected(errno_error("mkdir", path));
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    Error error = errno_error("open", path);
    ::rmdir(path.c_str());
    return std::unexpected(std::move(error));
  }
  return Cgroup(path, std::move(directory));
}

void Cgroup::remove_base(const std::string& base) {
  for (const std::string& directory : v1_places(base)) ::rmdir(directory.c_str());
  ::rmdir(base.c_str());
}

std::vector<std::string> Cgroup::end_leftovers(const std::string& base) {
  std::vector<std::string> ended;
  std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(base.c_str()), &::closedir);
  if (!directory) return ended;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const std::string path = base + "/" + entry->d_name;
    ended.emplace_back(entry->d_name);
    if (populated(path)) {
      kill_all(path);
      wait_until_empty(path);
    }
    for (const std::string& beside : v1_places(path)) ::rmdir(beside.c_str());
    ::rmdir(path.c_str());
  }
  return ended;
}

Cgroup::~Cgroup() {
  if (!directory_) return;  // Moved from.
  if (populated(path_)) kill_all(path_);
  if (!wait_until_empty(path_)) log_error("sandbox", "cgroup {} does not become empty", path_);
  directory_.reset();
  if (::rmdir(path_.c_str()) != 0) log_warning("sandbox", "{}", errno_error("rmdir", path_).what);
  for (const std::string& path : v1_directories_) ::rmdir(path.c_str());
}

Result<> Cgroup::add(pid_t process) {
  return write_control(path_ + "/cgroup.procs", std::to_string(process));
}

void Cgroup::kill() {
  kill_all(path_);
}

std::vector<std::string> Cgroup::apply_limits(const CgroupLimits& limits, pid_t init) {
  std::vector<std::string> refused;
  auto controllers = read_file(path_ + "/cgroup.controllers", 4096);
  auto apply = [&](std::string_view controller, std::string_view v2_file, std::string_view v1_file,
                   const std::string& v2_value, const std::string& v1_value) {
    if (controllers && (" " + *controllers).contains(" " + std::string(controller))) {
      if (auto done = write_control(path_ + "/" + std::string(v2_file), v2_value); !done) {
        refused.push_back(done.error().what);
      }
      return;
    }
    auto directory = join_v1(controller, path_, init);
    if (!directory) {
      refused.push_back(directory.error().what);
      return;
    }
    v1_directories_.push_back(*directory);
    if (auto done = write_control(*directory + "/" + std::string(v1_file), v1_value); !done) {
      refused.push_back(done.error().what);
    }
  };
  if (limits.memory_bytes) {
    const std::string value = std::to_string(*limits.memory_bytes);
    apply("memory", "memory.max", "memory.limit_in_bytes", value, value);
  }
  if (limits.pids) {
    const std::string value = std::to_string(*limits.pids);
    apply("pids", "pids.max", "pids.max", value, value);
  }
  if (limits.cpu_percent) {
    constexpr unsigned kPeriod = 100'000;
    const std::string quota = std::to_string(*limits.cpu_percent * (kPeriod / 100));
    apply("cpu", "cpu.max", "cpu.cfs_quota_us", quota + " " + std::to_string(kPeriod), quota);
  }
  return refused;
}

}  // namespace agentsh::sandbox
