// Where the log of a server is that went away.
#pragma once

#include <string>

namespace agentsh::client {

// "; its log is /path" for the server of a Unix socket, or where else its messages went. Begins
// with a semicolon, to follow the sentence that says what happened.
std::string log_hint(const std::string& socket);

}  // namespace agentsh::client
