// The network of a session, as its init makes it: loopback only, addresses and routes so that
// connect() gets as far as the redirect, and the sockets that redirected traffic arrives at (opened
// here, served by the daemon).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace agentsh::sandbox {

// In the caller's network namespace, with CAP_NET_ADMIN over it. The sockets of SessionSockets
// (launcher.h), in order.
Result<std::vector<UniqueFd>> open_session_sockets();

// Installs the redirect of a host without eBPF: a prepared nftables batch.
Result<> apply_firewall(std::string_view batch);

// A connection to a port of this namespace's 127.0.0.1, for the daemon.
Result<UniqueFd> connect_loopback(std::uint16_t port);

}  // namespace agentsh::sandbox
