// Detached mount trees as descriptors: open_tree(2), mount_setattr(2), move_mount(2), fsopen-free
// tmpfs.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>

namespace agentsh::sandbox {

// A detached copy of the mounts at and beneath `path`. It is unmounted when the descriptor closes
// unattached.
Result<UniqueFd> clone_tree(const std::string& path);

// Sets and clears MOUNT_ATTR_* on the whole tree of a descriptor.
Result<> set_tree_attributes(int tree, std::uint64_t set, std::uint64_t clear);

// Attaches a detached tree over `target`, which must exist.
Result<> attach_tree(int tree, const std::string& target);

// mount(2) of a virtual filesystem, nosuid and nodev beside `flags`.
Result<> mount_virtual(const std::string& type, const std::string& target, unsigned long flags,
                       const std::string& options);

}  // namespace agentsh::sandbox
