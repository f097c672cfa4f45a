// TLS on a connection: the name is read from the ClientHello and decided, the server is connected
// and its certificate checked, and only then the client gets its answer, with a leaf certificate
// for the name. What is inside is found out again: HTTP is served as such, everything else relayed.
//
// A refusal completes the client's handshake and answers its first request, so that the program
// shows the reason instead of a broken connection. `tls: passthrough` relays the connection
// unopened.
#pragma once

#include "proxy/flows/connection.h"

namespace agentsh::flows {

// connection.start begins with a TLS record.
boost::asio::awaitable<void> run_tls(Connection& connection);

}  // namespace agentsh::flows
