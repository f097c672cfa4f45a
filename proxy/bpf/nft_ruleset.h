// The redirect without eBPF: nftables inside the session's network namespace. It works for an
// ordinary user in a namespace of his own.
//
// A table `agentsh` for IPv4 and one for IPv6, each with a nat chain that turns TCP and DNS towards
// the session's listeners, and a filter chain that rejects everything else which is not local:
// datagrams (EPERM), ICMP, other protocols, and connections straight to the listeners. The acceptor
// asks original_destination.h where a connection was going. Limits, compared with redirector.h:
// static denials are the proxy's, the process behind a connection is found by socket_owner.h or not
// at all, and which resolver a query was for is lost.
//
// Builds bytes; nft_apply.h sends them. Applying a batch again replaces both tables in one
// transaction. Pure, any thread.
#pragma once

#include "base/ip.h"
#include "base/netns/session_network.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace agentsh::bpf {

struct NftRedirect {
  std::vector<netns::ListenerEndpoint> listeners;  // The first of each family is redirected to.
  std::vector<IpAddress> own_addresses;            // Left alone, as loopback is.
  std::vector<std::uint16_t> host_ports;           // Loopback TCP ports that are redirected too.
  // Group of netfilter's log that rejected packets are told to (nft_refusal_log.h).
  std::optional<std::uint16_t> log_group;
};

// A netlink batch. A family without listener has everything rejected that is not local.
Result<std::vector<std::uint8_t>> build_nft_batch(const NftRedirect& redirect);

}  // namespace agentsh::bpf
