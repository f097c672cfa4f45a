// The inside of a session's network namespace: `lo` up, addresses of our own on it, default routes
// that lead to `lo` (so nothing leaves, but connect() gets as far as the redirect), and the sockets
// of the proxy and the DNS service.
//
// It runs inside the namespace, in the session's init or in a thread that entered it, and uses
// `base` only. The sockets are bound to addresses of our own, so the session's 127.0.0.1 and ::1
// stay wholly its own; neither SO_REUSEPORT nor SO_REUSEADDR is set, so no process of the session
// can share a port with them. Needs CAP_NET_ADMIN over the namespace. A namespace where IPv6 is off
// is served on IPv4 alone. Errors: the first refused step; what was set up before it stays until
// the namespace goes.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace agentsh::netns {

inline constexpr int kMaxListenerAddresses = 4;

// The addresses that set_up_session_network() uses: 127.83.71.<n> and fd83:71::<n> for the
// listeners, 198.18.0.1 and fd83:72::1 as the session's own, the source addresses of whatever is
// not redirected.
IpAddress listener_address4(int index);
IpAddress listener_address6(int index);
IpAddress own_address4();
IpAddress own_address6();

// The three sockets of one listener address. Non-blocking and close-on-exec.
struct ListenerSockets {
  IpAddress address;
  UniqueFd tcp;  // Listening: what the redirect turns TCP to.
  std::uint16_t tcp_port = 0;
  UniqueFd dns_tcp;  // Listening: TCP port 53.
  std::uint16_t dns_tcp_port = 0;
  UniqueFd dns_udp;  // Queries. Bound to one address, so answers leave from the one that was asked.
  std::uint16_t dns_udp_port = 0;
};

// Where the sockets of one listener address are, for whoever redirects to them.
struct ListenerEndpoint {
  IpAddress address;
  std::uint16_t tcp_port = 0;
  std::uint16_t dns_tcp_port = 0;
  std::uint16_t dns_udp_port = 0;
};
std::vector<ListenerEndpoint> listener_endpoints(std::span<const ListenerSockets> sockets);

struct SessionNetworkOptions {
  // About 28 000 connections fit per listener address and family at a time, because they share one
  // destination and differ by source port only.
  int listener_addresses = 1;
  int backlog = 4096;
};

struct SessionNetwork {
  std::vector<ListenerSockets> listeners;  // IPv4 ones first.
  std::vector<IpAddress> own_addresses;
  bool ipv6 = false;
  std::string ipv6_error;  // The step that showed that there is no IPv6.
};

Result<SessionNetwork> set_up_session_network(const SessionNetworkOptions& options = {});

// The descriptors of `network` in the order that adopt_listeners() takes, for send_with_fds(). At
// most kMaxPassedFds of base/fd_passing.h fit one message: two listener addresses with both
// families.
std::vector<int> listener_descriptors(const SessionNetwork& network);

// The receiver's side: three descriptors per listener address. Addresses, ports and kinds are asked
// of the kernel; anything that is not such a socket is refused.
Result<std::vector<ListenerSockets>> adopt_listeners(std::vector<UniqueFd> descriptors);

}  // namespace agentsh::netns
