// The parent of init in a session without a PID namespace: outside of the session's Landlock
// domain, so that its commands cannot signal it (Landlock ABI 6), and what is left falls to it when
// init has been killed or stopped.
#pragma once

#include "base/result.h"

namespace agentsh::sandbox {

// Forks. The child returns and is init; the parent never returns: it waits until init has ended or
// the daemon has closed the control socket, ends everything that descends from it, and exits.
Result<> go_under_guardian();

}  // namespace agentsh::sandbox
