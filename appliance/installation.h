// Where the parts of this installation are, from where the running program is: in a build tree and
// after `cmake --install` alike.
#pragma once

#include "appliance/config/config.h"
#include "base/result.h"

#include <string>
#include <vector>

namespace agentsh {

// agentsh-init: beside this program where it was built, in ../libexec/agentsh where it was
// installed.
Result<std::string> find_init_program();

// What the daemon or a user starts of this installation.
std::vector<std::string> own_programs();

// Where policies are looked for, first one first: the configured directory, /etc/agentsh/policies,
// the packs that were shipped.
std::vector<std::string> policy_directories(const config::ServerConfig& config);

}  // namespace agentsh
