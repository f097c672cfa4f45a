// Connections to the server of a database service, encryption included.
#pragma once

#include "proxy/flows/connect_upstream.h"
#include "proxy/flows/connection.h"
#include "proxy/postgres/guarded_service.h"
#include "sqlguard/login/login_failure.h"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::pg {

// Where a service is and how it is spoken to. Kept for cancellations.
struct UpstreamAddress {
  std::vector<flows::UpstreamTarget> targets;
  std::string host;  // What the server's certificate must be for.
  std::uint16_t port = 0;
  bool tls = false;
  std::shared_ptr<const certs::Leaf> certificate;  // To show to the server; null: none.
};

struct ServerLeg {
  std::unique_ptr<net::ByteStream> stream;
  flows::UpstreamTarget target;
  bool tls = false;
  std::string subject;                  // Of its certificate.
  std::vector<std::uint8_t> end_point;  // For channel binding.
};

// Connects; with TLS, asks for it and verifies the server.
boost::asio::awaitable<sql::LoginResult<ServerLeg>> connect_server(flows::Connection& connection,
                                                                   UpstreamAddress address);

}  // namespace agentsh::pg
