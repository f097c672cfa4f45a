// Starting the daemon on demand, by the first command that finds none.
#pragma once

#include "base/result.h"

#include <string>

namespace agentsh::client {

// Starts `program server`, detached from this terminal, and waits until it says that it listens (it
// closes a pipe). When it ends instead, the error is what it wrote on stderr. Two that start at
// once are no problem: one gets the socket, the other ends, and both clients go on with the one
// that listens.
Result<> start_server(const std::string& program, const std::string& config);

}  // namespace agentsh::client
