// Moves bytes between a client, the engine of its guarded connection and the server, after the
// login.
//
// Nothing is read of a side before what came of it was written to the other. Two coroutines: one
// reads the client, one the server; both write to the client, in the order in which the engine
// spoke (Turns).
#pragma once

#include "proxy/flows/connection.h"
#include "proxy/postgres/guard_flow.h"
#include "proxy/postgres/statement_event.h"
#include "proxy/postgres/upstream_leg.h"
#include "sqlguard/connection/guarded_connection.h"
#include "sqlguard/login/session_start.h"

#include <boost/asio/awaitable.hpp>

#include <memory>

namespace agentsh::pg {

struct RelayStart {
  std::shared_ptr<const GuardContext> context;
  std::shared_ptr<const GuardedService> service;
  DatabaseClient client;
  UpstreamAddress address;  // For cancellations.
  sql::SessionState session;
  sql::SessionStart opening;  // What the server said at the end of the login.
  // Sessions that are equal at their start: they see the same catalogue. Empty: like no other.
  std::string kind;
};

// Until either side ends. Closes both streams.
boost::asio::awaitable<void> relay_statements(flows::Connection& connection,
                                              std::unique_ptr<net::ByteStream> server,
                                              Bytes from_server, RelayStart start);

}  // namespace agentsh::pg
