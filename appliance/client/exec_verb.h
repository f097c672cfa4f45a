// `agentsh exec` and `agentsh wrap`: a command inside a session, as if it were run here.
#pragma once

#include "appliance/client/options.h"

namespace agentsh::client {

int run_exec(Arguments arguments);
int run_wrap(Arguments arguments);

}  // namespace agentsh::client
