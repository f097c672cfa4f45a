#include "sandbox/process/init/mount_tree.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace agentsh::sandbox {
namespace {

// <linux/mount.h> and <sys/mount.h> of Debian 12 cannot be included together, so the few constants
// are here.
constexpr unsigned kOpenTreeClone = 1;
constexpr unsigned kMoveMountFromEmptyPath = 0x4;
constexpr unsigned kMoveMountToSymlinks = 0x10;
struct MountAttributes {
  std::uint64_t attr_set;
  std::uint64_t attr_clr;
  std::uint64_t propagation;
  std::uint64_t userns_fd;
};

}  // namespace

Result<UniqueFd> clone_tree(const std::string& path) {
  UniqueFd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), kOpenTreeClone | AT_RECURSIVE | O_CLOEXEC)));
  if (!tree) return std::unexpected(errno_error("open_tree", path));
  return tree;
}

Result<> set_tree_attributes(int tree, std::uint64_t set, std::uint64_t clear) {
  MountAttributes attributes{set, clear, 0, 0};
  if (::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                sizeof attributes) != 0) {
    return std::unexpected(errno_error("mount_setattr"));
  }
  return {};
}

Result<> attach_tree(int tree, const std::string& target) {
  if (::syscall(SYS_move_mount, tree, "", AT_FDCWD, target.c_str(),
                kMoveMountFromEmptyPath | kMoveMountToSymlinks) != 0) {
    return std::unexpected(errno_error("move_mount", target));
  }
  return {};
}

Result<> mount_virtual(const std::string& type, const std::string& target, unsigned long flags,
                       const std::string& options) {
  if (::mount(type.c_str(), target.c_str(), type.c_str(), MS_NOSUID | flags, options.c_str()) !=
      0) {
    return std::unexpected(errno_error("mount " + type + " on", target));
  }
  return {};
}

}  // namespace agentsh::sandbox
