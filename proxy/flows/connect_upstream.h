// New connections to servers, TLS included.
#pragma once

#include "proxy/flows/connection.h"
#include "proxy/flows/upstream.h"

namespace agentsh::flows {

struct Connected {
  ServerConnection server;
  UpstreamTarget target;  // The one that answered.
};

// Connects to the first target that answers. A connection that was opened before to the
// destination is used where it fits.
boost::asio::awaitable<Result<Connected>> connect_any(Connection& connection,
                                                      std::vector<UpstreamTarget> targets,
                                                      ServerUse use);

struct UpstreamRequest {
  std::string tls_name;  // Empty: plain.
  bool fresh = false;    // Not from the pool.
};

// Either `upstream` or `error`.
struct UpstreamAttempt {
  std::unique_ptr<Upstream> upstream;
  bool tls_failed = false;  // The server was reached, its TLS or certificate is the trouble.
  Error error;
};

// A connection to an HTTP server, from the pool or new.
boost::asio::awaitable<UpstreamAttempt> connect_upstream(Connection& connection,
                                                         std::vector<UpstreamTarget> targets,
                                                         UpstreamRequest request);

}  // namespace agentsh::flows
