// What a client may hand to a command as its standard input, output and error. Whatever it is, the
// command can do with it all that its kind allows, wherever it was opened.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <span>

namespace agentsh {

// Refuses what would be a way around the session: directories and devices of the host, and sockets
// that could be connected elsewhere or accept. Files, pipes, terminals and connected Unix streams
// (which some programs use for pipes) pass, unless the other end is of the process `daemon`: its
// control API answers whoever holds such a connection with the rights of who opened it.
Result<> check_passed_descriptors(std::span<const UniqueFd> fds, pid_t daemon);

}  // namespace agentsh
