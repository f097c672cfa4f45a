// The session's Landlock ruleset: a second wall behind its mounts, or the only one where it has
// none.
#pragma once

#include "base/result.h"
#include "sandbox/process/session_spec.h"

namespace agentsh::sandbox {

// Restricts the calling thread and everything it starts. Returns the kernel's ABI; 0 where there is
// no Landlock and the specification does not require it.
Result<int> apply_landlock(const SessionSpec& spec);

}  // namespace agentsh::sandbox
