// What of a session's policy is not enforced here, as sentences for whoever creates the session.
#pragma once

#include "policies/compiled_policy.h"
#include "policies/enforcement.h"

#include <string>
#include <vector>

namespace agentsh {

// One sentence per reason, with the rules that it holds for. `host` is what was found to work.
std::vector<std::string> enforcement_warnings(const policy::CompiledPolicy& policy,
                                              const std::string& workspace,
                                              const policy::HostCapabilities& host);

// The refusal of security.strict.
Error refused_by_strict(const std::vector<std::string>& warnings);

}  // namespace agentsh
