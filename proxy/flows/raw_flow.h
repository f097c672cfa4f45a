// Bytes that are none of our protocols: decided by address and leased names, then relayed as they
// are. Also TLS that a rule says to leave unopened.
#pragma once

#include "proxy/flows/connection.h"
#include "proxy/flows/route.h"

namespace agentsh::flows {

inline constexpr std::string_view kHttpOnlyRule = "http-only-host";

// True, and recorded: nothing but HTTP may be spoken with this host, so its bytes are not relayed.
bool refuse_unless_http(const Connection& connection, std::string_view host);

// Decides, connects, relays. A refusal resets the connection.
boost::asio::awaitable<void> run_raw(Connection& connection);

// A PostgreSQL client whose server is no service of the policy: decided like other raw bytes, and
// whether the policy lets databases past the guard. A refusal is told in the protocol's words.
boost::asio::awaitable<void> run_undeclared_database(Connection& connection);

// For a client that is silent: decides, connects, and waits who speaks first. True when it is the
// client: what it says is to be found out; the server connection is kept in
// connection.preconnected. False when all is over.
boost::asio::awaitable<bool> run_silent(Connection& connection);

// Relays between the client and a server that is connected: first what has been read of either.
boost::asio::awaitable<void> relay_bytes(Connection& connection, net::ByteStream& server,
                                         Bytes from_server = {});

// Decided already; connects to the route and relays.
boost::asio::awaitable<void> relay_route(Connection& connection, const Route& route);

}  // namespace agentsh::flows
