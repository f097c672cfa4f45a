// The login of a client and of its connection to the server: with credentials of the service the
// client proves a placeholder to the guard, which logs in at the server itself; without, what both
// say is relayed.
//
// Threads: the connection's worker.
#pragma once

#include "proxy/flows/buffer.h"
#include "proxy/flows/connection.h"
#include "proxy/postgres/credential_source.h"
#include "proxy/postgres/guarded_service.h"
#include "proxy/postgres/upstream_leg.h"
#include "sqlguard/codec/startup.h"
#include "sqlguard/login/session_start.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::pg {

struct LoginRequest {
  std::shared_ptr<const GuardedService> service;
  std::shared_ptr<CredentialSource> credentials;  // May be null when the service has none.
  UpstreamAddress address;
  sql::StartupMessage startup;  // For the server.
  std::string client_user;      // As the client calls itself.
  bool client_tls = false;
  std::vector<std::uint8_t> client_end_point;  // Of the certificate that the client was shown.
};

struct LoggedIn {
  ServerLeg leg;
  sql::SessionStart opening;
  std::string method;  // How the server authenticated us, for events.
};

// A failure is for the client to be told. `from_server` holds what came behind the login.
boost::asio::awaitable<sql::LoginResult<LoggedIn>> log_in(flows::Connection& connection,
                                                          LoginRequest request,
                                                          flows::Buffer& from_server);

}  // namespace agentsh::pg
