// The Unix sockets that host programs listen on, so that none of them is in a session's view.
// Read-only mounts do not stop connect(2) on a socket file, and Landlock does not see it either
// (before ABI 9).
#pragma once

#include <string>
#include <vector>

namespace agentsh {

// Paths of the bound Unix sockets of this network namespace (/proc/net/unix), without abstract
// ones.
std::vector<std::string> host_socket_paths();

}  // namespace agentsh
