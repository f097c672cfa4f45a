// Giving up privilege, for good: user, groups, all five capability sets, no_new_privs
// (capabilities(7), credentials(7)).
#pragma once

#include "base/result.h"
#include "sandbox/process/session_spec.h"

namespace agentsh::sandbox {

// Drops the bounding set, switches to the specification's uid, gid and groups (without root they
// are the caller's already and groups stay), empties permitted, effective, inheritable and ambient,
// locks the secure bits, sets no_new_privs, makes the process non-dumpable and bound to its
// parent's life again (setresuid clears that).
Result<> drop_privileges(const SessionSpec& spec);

}  // namespace agentsh::sandbox
