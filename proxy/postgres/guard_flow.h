// A client's connection to a database service, from its first byte to its end: what it asks for
// before it logs in, the decision about the connection, the login, then its statements.
//
//   policy::... context.service() -> GuardedService     who may connect, what statements may do
//   flows::Connection                                   the client, where it wanted to go
//
// Whatever goes wrong ends this connection only, with an ErrorResponse that says why.
//
// Threads: the connection's worker.
#pragma once

#include "proxy/flows/connection.h"
#include "proxy/postgres/cancel_table.h"
#include "proxy/postgres/credential_source.h"
#include "proxy/postgres/guarded_service.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::pg {

// What the connections to one service share: of a session, or of a listener.
struct GuardContext {
  // As the policy says now. Null: the policy has it no more, or the trail cannot be written; then
  // nothing is permitted. Called for each piece that a client sends.
  std::function<std::shared_ptr<const GuardedService>()> service;
  std::shared_ptr<CancelTable> cancels;
  std::shared_ptr<CredentialSource> credentials;
  std::string client_identity;  // For connection rules: the session, or the listener.
  // Where the service is, looked up by its name; else, in a session, the address that the client
  // connected to.
  bool resolve_upstream = false;
  // TLS towards clients; null: it is answered that there is none.
  std::function<boost::asio::awaitable<Result<flows::TlsLeg>>(std::unique_ptr<net::ByteStream>)>
      accept_tls;
};

boost::asio::awaitable<void> run_guard(flows::Connection& connection,
                                       std::shared_ptr<const GuardContext> context);

}  // namespace agentsh::pg
