// Verbs that ask the running server: `events`, `approve`, `debug`, `ca`.
#pragma once

#include "appliance/client/options.h"

namespace agentsh::client {

int run_events(Arguments arguments);
int run_approve(Arguments arguments);
int run_debug(Arguments arguments);
int run_ca(Arguments arguments);

}  // namespace agentsh::client
