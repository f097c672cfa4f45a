// `agentsh completion bash|zsh|fish`: a script for the shell, on stdout.
#pragma once

#include "appliance/client/options.h"

namespace agentsh::client {

int run_completion(Arguments arguments);

}  // namespace agentsh::client
