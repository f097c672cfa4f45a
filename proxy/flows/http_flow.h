// HTTP/1 on one client connection: reads requests, decides each, hands them to HttpExchange,
// records net_http_request, keeps connections alive on both sides.
//
// Transparent connections and clients that use us as their proxy (absolute form, CONNECT) are
// served alike; every host that a request names is decided for itself. Inside TLS the host must be
// the one that TLS was made for.
#pragma once

#include "proxy/codec/http/error_page.h"
#include "proxy/flows/connection.h"
#include "proxy/flows/route.h"
#include "proxy/flows/upstream.h"

#include <memory>
#include <optional>
#include <string>

namespace agentsh::flows {

enum class HttpEnd : std::uint8_t {
  kClosed,
  // A CONNECT was answered: connection.destination is its target, and what is read next is from
  // inside the tunnel.
  kTunnel,
};

// What the TLS flow decided and opened before the client's first request.
struct HttpStart {
  std::optional<Route> route;
  std::unique_ptr<Upstream> upstream;
  std::string tls_name;  // Of the server's leg; empty: plain.
};

boost::asio::awaitable<HttpEnd> run_http(Connection& connection, HttpStart start);

// Reads one request, whatever it is, and answers it with `page`: a refusal that the client's
// program can show. The connection ends.
boost::asio::awaitable<void> answer_first_request(Connection& connection, http::ErrorPage page);

}  // namespace agentsh::flows
