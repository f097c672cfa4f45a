// Finds out what a client speaks by reading its first bytes into connection.start.
#pragma once

#include "proxy/flows/connection.h"

namespace agentsh::flows {

enum class FirstBytes : std::uint8_t {
  kTls,
  kHttp,
  kPostgres,
  kRaw,
  kSilent,  // Nothing came in time, and on this port the server may speak first.
  kClosed,  // The client has gone, or stopped in the middle of what might become a request.
};

boost::asio::awaitable<FirstBytes> sniff_client(Connection& connection);

}  // namespace agentsh::flows
