// Whether one glob matches everything that another does: for lint. A "no" may be wrong (it is a
// hard question in general), a "yes" never is.
//
// Threads: pure function.
#pragma once

#include "policies/glob.h"

namespace agentsh::policy {

bool glob_covers(const Glob& wider, const Glob& narrower);

}  // namespace agentsh::policy
