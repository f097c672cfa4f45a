// Starting the daemon on demand, by the first command that finds none.
#pragma once

#include "base/result.h"

#include <string>

namespace agentsh::client {

// Starts `program server`, detached from this terminal, and waits until it says that it listens (it
// closes a pipe). When it ends instead, the error is what it wrote on stderr;
// device_or_resource_busy: because another one starts, or ends, with the same state.
Result<> start_server(const std::string& program, const std::string& config);

}  // namespace agentsh::client
