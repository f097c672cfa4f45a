// agentsh shim: puts the shell shim in a shell's place, and takes it away.
#pragma once

#include "appliance/client/options.h"

namespace agentsh::client {

int run_shim(Arguments arguments);

}  // namespace agentsh::client
