// A session's control group: what eBPF programs are attached to, and what cgroup.kill ends
// (cgroups(7), Documentation/admin-guide/cgroup-v2.rst).
//
// Lives in the unified hierarchy, on hybrid hosts too. Limits use the v2 controllers where the
// unified hierarchy has them and the v1 hierarchies beside it where it does not.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::sandbox {

struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
  std::optional<unsigned> cpu_percent;  // Of one processor.
  bool empty() const { return !memory_bytes && !pids && !cpu_percent; }
};

class Cgroup {
 public:
  // Where this process may make groups: its own cgroup, in the unified hierarchy, in a folder
  // "agentsh/<instance>". Daemons with state of their own run beside each other on one machine, and
  // none may take the other's sessions for leftovers: `instance` is a file name that the same
  // daemon has again after a crash. Turns on the controllers that limits need, where we may
  // (cgroup_controllers.h). Fails with a sentence when there is no unified hierarchy or it is not
  // writable.
  static Result<std::string> base_directory(const std::string& instance);
  // Removes an empty base again.
  static void remove_base(const std::string& base);

  // Makes <base>/<name>.
  static Result<Cgroup> create(const std::string& base, const std::string& name);

  // Ends what a daemon that died left in <base>: kills every process in each group and removes the
  // groups. Returns their names.
  static std::vector<std::string> end_leftovers(const std::string& base);

  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&&) noexcept = default;
  // Kills what is in the group, waits until it is empty and removes it.
  ~Cgroup();

  int directory_fd() const { return directory_.get(); }
  const std::string& path() const { return path_; }

  // Moves the process into the group.
  Result<> add(pid_t process);

  // Applies what can be applied; names what cannot ("memory: no controller"). `init` joins v1
  // groups made for it.
  std::vector<std::string> apply_limits(const CgroupLimits& limits, pid_t init);

  // SIGKILL to every process in the group.
  void kill();

 private:
  Cgroup(std::string path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}

  std::string path_;
  UniqueFd directory_;
  std::vector<std::string> v1_directories_;
};

}  // namespace agentsh::sandbox
