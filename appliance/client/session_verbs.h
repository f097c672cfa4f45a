// `agentsh session ...`: sessions and their logs; `agentsh kill`, `agentsh output`.
#pragma once

#include "appliance/client/options.h"

namespace agentsh::client {

int run_session(Arguments arguments);
int run_kill(Arguments arguments);
int run_output(Arguments arguments);

}  // namespace agentsh::client
