// The audit events of connections and requests, with their fixed names and fields.
#pragma once

#include "audit/event.h"
#include "proxy/flows/connection.h"

#include <chrono>
#include <string_view>

namespace agentsh::flows {

// What every event of a connection carries: who, whereto, under which name.
audit::Event connection_event(const Connection& connection, std::string type,
                              std::string_view name);

// net_connect: a connection was allowed or denied. `protocol` is "tls", "http", "tcp", "connect".
audit::Event connect_event(const Connection& connection, std::string_view name,
                           std::string_view protocol);

// net_close, when all is over.
audit::Event close_event(const Connection& connection);

// tls_intercept: both legs of an opened TLS connection, or why one of them is not up.
audit::Event intercept_event(const Connection& connection, const TlsLeg& server);
audit::Event intercept_failure_event(const Connection& connection, std::string_view leg,
                                     std::string_view reason);

double milliseconds_since(std::chrono::steady_clock::time_point start);

}  // namespace agentsh::flows
