// New outgoing connections.
#pragma once

#include "base/ip.h"
#include "proxy/net/socket_stream.h"

#include <chrono>
#include <memory>
#include <string>

namespace agentsh::net {

// Connects to exactly this address: names are resolved, and addresses checked against policy,
// before. Fails with timed_out after `timeout`, else with connect(2)'s error. The message names the
// endpoint.
boost::asio::awaitable<Result<std::unique_ptr<TcpStream>>> connect(
    boost::asio::any_io_executor executor, Endpoint endpoint, std::chrono::milliseconds timeout);

// The same for a Unix socket. A path that begins with '@' is abstract.
boost::asio::awaitable<Result<std::unique_ptr<UnixStream>>> connect_unix(
    boost::asio::any_io_executor executor, std::string path, std::chrono::milliseconds timeout);

}  // namespace agentsh::net
