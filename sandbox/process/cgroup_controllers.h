// Turns on the unified hierarchy's controllers for the groups that we make (cgroup.subtree_control,
// "Delegation" and "No Internal Process Constraint" of Documentation/admin-guide/cgroup-v2.rst): a
// group has the controllers which every group above it hands down.
//
// Only in what is ours: the groups that we made, and the daemon's own where whoever started it
// delegated that one (systemd's Delegate=yes, the top of a container, or a group that belongs to
// the user). There the daemon first moves into a group of its own, because a group that hands
// controllers down may hold no processes; where other processes stand beside it, they are not ours
// to move and nothing is changed. Root's group of the host is never touched.
#pragma once

#include "base/result.h"

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

namespace agentsh::sandbox {

// What resource_limits needs.
inline constexpr std::string_view kLimitControllers[] = {"memory", "pids", "cpu"};

// Whether the group at `path` (a directory of the hierarchy) was given to this process to divide.
bool is_delegated(const std::string& path);

// Hands those of kLimitControllers that `own` has down through `own` and `below`, which lie in each
// other in that order, the last one holding the sessions. `self` is moved to <own>/agentsh-daemon
// where it stands in the way. Fails with a sentence that says which group does not hand down what,
// and why; what could be done by then stays done.
Result<> enable_controllers(const std::string& own, std::span<const std::string> below, pid_t self,
                            bool delegated);

}  // namespace agentsh::sandbox
