// Verbs about LLM traffic: gateway keys, usage, the state of the proxy.
#pragma once

#include "appliance/client/options.h"

namespace agentsh::client {

int run_gateway(Arguments arguments);
int run_usage(Arguments arguments);
int run_proxy(Arguments arguments);

}  // namespace agentsh::client
