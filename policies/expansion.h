// The variables of a policy: which it refers to, and the policy with their values in place. They
// are replaced in file_rules.paths and redirect_to, network_rules.domains, unix_socket_rules.paths
// and command_rules.commands; values count as literal text there, whatever they contain.
#pragma once

#include "policies/model.h"
#include "policies/variables.h"

#include <set>
#include <string>

namespace agentsh::policy {

std::set<std::string> variables_of(const Policy& policy);

// Replaces them all. Each variable without a value is an error with the place that needs it.
void expand_policy(Policy& policy, const Variables& variables, Diagnostics& problems);

}  // namespace agentsh::policy
