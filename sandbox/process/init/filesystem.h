// The session's view of the filesystem, built by init in its own mount namespace
// (mount_namespaces(7)).
//
// A fresh tmpfs becomes the root; the host's top-level directories are attached to it read-only,
// nosuid and nodev, all but those that belong to the running system (/proc /sys /dev /run /tmp):
// these are made new, so that no socket, device or runtime file of the host is in view. Everything
// the specification asks for goes on top. The old root is detached, so a mount that is covered or
// left out cannot be reached again.
//
// Needs CAP_SYS_ADMIN over the mount namespace, Linux 5.12 (mount_setattr). Single-threaded;
// changes the caller's root.
#pragma once

#include "base/result.h"
#include "sandbox/process/session_spec.h"

namespace agentsh::sandbox {

Result<> build_filesystem(const SessionSpec& spec);

}  // namespace agentsh::sandbox
