#include "sandbox/process/init/network.h"

#include "base/bytes.h"
#include "base/netns/nft_apply.h"
#include "base/netns/session_network.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace agentsh::sandbox {

Result<std::vector<UniqueFd>> open_session_sockets() {
  auto network = netns::set_up_session_network();
  if (!network) return std::unexpected(network.error());
  std::vector<UniqueFd> sockets;
  for (netns::ListenerSockets& listener : network->listeners) {
    sockets.push_back(std::move(listener.tcp));
    sockets.push_back(std::move(listener.dns_tcp));
    sockets.push_back(std::move(listener.dns_udp));
  }
  UniqueFd diagnostics(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!diagnostics) return std::unexpected(errno_error("socket", "NETLINK_SOCK_DIAG"));
  // Where nftables tells what it refused. A kernel without it refuses all the same.
  if (auto log = netns::open_refusal_log(netns::kRefusalLogGroup))
    sockets.push_back(std::move(*log));
  sockets.push_back(std::move(diagnostics));
  return sockets;
}

Result<> apply_firewall(std::string_view batch) {
  auto socket = netns::open_netfilter_socket();
  if (!socket) return std::unexpected(socket.error());
  return netns::apply_batch(socket->get(), as_bytes(batch));
}

Result<UniqueFd> connect_loopback(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) return std::unexpected(errno_error("socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(errno_error("connect", "127.0.0.1"));
  }
  return socket;
}

}  // namespace agentsh::sandbox
