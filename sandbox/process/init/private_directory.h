// The directory of a session that has no mounts, where another has /tmp and /run of its own.
#pragma once

#include "base/result.h"
#include "sandbox/process/session_spec.h"

namespace agentsh::sandbox {

// Makes it, which must not exist, and writes the specification's files into it. As the session's
// user.
Result<> make_private_directory(const SessionSpec& spec);

}  // namespace agentsh::sandbox
