#include "base/netns/session_network.h"

#include "base/netns/netlink.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace agentsh::netns {
namespace {

constexpr std::uint32_t kLoopbackIndex = 1;  // `lo` is the first device of every namespace.
constexpr std::uint16_t kCreate = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;

struct Step {
  std::string name;
  bool ipv6 = false;
};

// The network part of an address as netlink wants it.
Bytes address_bytes(const IpAddress& address) {
  if (address.is_v6()) return address.bytes();
  return Bytes(address.bytes()).subspan(12);
}

std::uint8_t family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

class Plan {
 public:
  void bring_up_loopback() {
    writer_.begin(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK);
    ifinfomsg link{};
    link.ifi_family = AF_UNSPEC;
    link.ifi_index = kLoopbackIndex;
    link.ifi_flags = IFF_UP;
    link.ifi_change = IFF_UP;
    writer_.header(link);
    steps_.push_back({"bring up lo", false});
  }

  void add_address(const IpAddress& address) {
    writer_.begin(RTM_NEWADDR, kCreate);
    ifaddrmsg head{};
    head.ifa_family = family_of(address);
    head.ifa_prefixlen = address.is_v4() ? 32 : 128;
    head.ifa_scope = RT_SCOPE_UNIVERSE;
    head.ifa_index = kLoopbackIndex;
    writer_.header(head);
    writer_.attribute(IFA_LOCAL, address_bytes(address));
    writer_.attribute(IFA_ADDRESS, address_bytes(address));
    // The kernel adds the local route of an IPv6 address a little later, by a work queue. The
    // prefix route that it would add at once rejects on `lo`, and connections in between would
    // fail.
    writer_.attribute(IFA_FLAGS, IFA_F_NODAD | IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE);
    steps_.push_back({"add address " + address.to_string() + " to lo", address.is_v6()});
  }

  // Every destination is taken as local: connect() gets as far as the redirect, and a packet that
  // was not redirected arrives at the session itself, where nobody waits for it.
  void add_default_route(const IpAddress& source) {
    writer_.begin(RTM_NEWROUTE, kCreate);
    rtmsg head{};
    head.rtm_family = family_of(source);
    head.rtm_table = RT_TABLE_MAIN;
    head.rtm_protocol = RTPROT_STATIC;
    head.rtm_scope = source.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    head.rtm_type = RTN_LOCAL;
    writer_.header(head);
    writer_.attribute(RTA_OIF, kLoopbackIndex);
    writer_.attribute(RTA_PREFSRC, address_bytes(source));
    steps_.push_back({"add default route by lo from " + source.to_string(), source.is_v6()});
  }

  // Sends everything at once. Empty when IPv6 works here, else what it failed at first.
  Result<std::string> apply() {
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket) return std::unexpected(socket.error());
    auto errors = socket->exchange(writer_.finish(), writer_.count());
    if (!errors) return std::unexpected(errors.error());
    std::string ipv6_error;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if ((*errors)[i] == 0) continue;
      Error error = errno_error((*errors)[i], steps_[i].name);
      if (!steps_[i].ipv6) return std::unexpected(std::move(error));
      if (ipv6_error.empty()) ipv6_error = std::move(error.what);
    }
    return ipv6_error;
  }

 private:
  NetlinkWriter writer_;
  std::vector<Step> steps_;
};

// All redirected connections share one destination, so the source ports of a session that opens
// many short ones fill with TIME_WAIT. The kernel reuses those after a second for 127.0.0.0/8 and
// ::1 by itself; this is for the IPv6 listener. (Fewer TIME_WAIT buckets instead would also cut
// FIN_WAIT2 short, and a source port could come back while its last connection still waits to be
// accepted: tried, connections got lost.) Where it cannot be set, on a read-only /proc, the session
// has fewer IPv6 connections per minute.
void reuse_time_wait() {
  const UniqueFd file(::open("/proc/sys/net/ipv4/tcp_tw_reuse", O_WRONLY | O_CLOEXEC));
  if (file) [[maybe_unused]]
    const ssize_t written = ::write(file.get(), "1", 1);
}

Result<Endpoint> bound_endpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return std::unexpected(errno_error("getsockname"));
  }
  auto endpoint = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  if (!endpoint) return fail("socket is neither IPv4 nor IPv6");
  return *endpoint;
}

// A socket bound to a free port of `address`, listening when it is a stream.
Result<UniqueFd> open_bound(const IpAddress& address, int type, int backlog) {
  const std::string subject = Endpoint{address, 0}.to_string();
  UniqueFd fd(::socket(family_of(address), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return std::unexpected(errno_error("socket", subject));
  const int one = 1;
  if (address.is_v6() && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) {
    return std::unexpected(errno_error("setsockopt IPV6_V6ONLY", subject));
  }
  sockaddr_storage storage;
  const socklen_t length = Endpoint{address, 0}.to_sockaddr(storage);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return std::unexpected(errno_error("bind", subject));
  }
  if (type == SOCK_STREAM && ::listen(fd.get(), backlog) != 0) {
    return std::unexpected(errno_error("listen", subject));
  }
  return fd;
}

Result<> open_one(UniqueFd& fd, std::uint16_t& port, const IpAddress& address, int type,
                  int backlog) {
  auto opened = open_bound(address, type, backlog);
  if (!opened) return std::unexpected(opened.error());
  auto endpoint = bound_endpoint(opened->get());
  if (!endpoint) return std::unexpected(endpoint.error());
  fd = std::move(*opened);
  port = endpoint->port;
  return {};
}

Result<ListenerSockets> open_listeners(const IpAddress& address, int backlog) {
  ListenerSockets sockets;
  sockets.address = address;
  auto opened = open_one(sockets.tcp, sockets.tcp_port, address, SOCK_STREAM, backlog);
  if (opened)
    opened = open_one(sockets.dns_tcp, sockets.dns_tcp_port, address, SOCK_STREAM, backlog);
  if (opened)
    opened = open_one(sockets.dns_udp, sockets.dns_udp_port, address, SOCK_DGRAM, backlog);
  if (!opened) return std::unexpected(opened.error());
  return sockets;
}

int socket_option(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// Takes over one descriptor of a listener address after checking what it is.
Result<> adopt_one(UniqueFd descriptor, int type, IpAddress& address, UniqueFd& fd,
                   std::uint16_t& port) {
  auto endpoint = bound_endpoint(descriptor.get());
  if (!endpoint) return std::unexpected(endpoint.error());
  const bool listening = socket_option(descriptor.get(), SO_ACCEPTCONN) == 1;
  if (socket_option(descriptor.get(), SO_TYPE) != type || listening != (type == SOCK_STREAM)) {
    return fail("a handed-over socket on " + endpoint->to_string() + " is not of the agreed kind");
  }
  if (endpoint->port == 0) return fail("a handed-over socket is not bound to a port");
  address = endpoint->address;
  port = endpoint->port;
  fd = std::move(descriptor);
  return {};
}

}  // namespace

IpAddress listener_address4(int index) {
  return IpAddress::v4(0x7f534701u + static_cast<std::uint32_t>(index));
}

IpAddress listener_address6(int index) {
  return IpAddress::v6({0xfd, 0x83, 0x00, 0x71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                        static_cast<std::uint8_t>(1 + index)});
}

IpAddress own_address4() {
  return IpAddress::v4(0xc6120001u);
}

IpAddress own_address6() {
  return IpAddress::v6({0xfd, 0x83, 0x00, 0x72, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

std::vector<ListenerEndpoint> listener_endpoints(std::span<const ListenerSockets> sockets) {
  std::vector<ListenerEndpoint> endpoints;
  for (const ListenerSockets& each : sockets) {
    endpoints.push_back({each.address, each.tcp_port, each.dns_tcp_port, each.dns_udp_port});
  }
  return endpoints;
}

Result<SessionNetwork> set_up_session_network(const SessionNetworkOptions& options) {
  const int addresses = options.listener_addresses;
  if (addresses < 1 || addresses > kMaxListenerAddresses) {
    return fail("listener_addresses must be 1 to " + std::to_string(kMaxListenerAddresses));
  }
  Plan plan;
  plan.bring_up_loopback();
  for (int i = 0; i < addresses; ++i) plan.add_address(listener_address4(i));
  plan.add_address(own_address4());
  plan.add_default_route(own_address4());
  for (int i = 0; i < addresses; ++i) plan.add_address(listener_address6(i));
  plan.add_address(own_address6());
  plan.add_default_route(own_address6());
  auto ipv6_error = plan.apply();
  if (!ipv6_error) return std::unexpected(with_context(ipv6_error.error(), "session network"));

  reuse_time_wait();

  SessionNetwork network;
  network.ipv6 = ipv6_error->empty();
  network.ipv6_error = std::move(*ipv6_error);
  network.own_addresses.push_back(own_address4());
  if (network.ipv6) network.own_addresses.push_back(own_address6());
  for (int i = 0; i < addresses * (network.ipv6 ? 2 : 1); ++i) {
    const IpAddress address =
        i < addresses ? listener_address4(i) : listener_address6(i - addresses);
    auto sockets = open_listeners(address, options.backlog);
    if (!sockets) return std::unexpected(with_context(sockets.error(), "session network"));
    network.listeners.push_back(std::move(*sockets));
  }
  return network;
}

std::vector<int> listener_descriptors(const SessionNetwork& network) {
  std::vector<int> descriptors;
  for (const ListenerSockets& sockets : network.listeners) {
    descriptors.push_back(sockets.tcp.get());
    descriptors.push_back(sockets.dns_tcp.get());
    descriptors.push_back(sockets.dns_udp.get());
  }
  return descriptors;
}

Result<std::vector<ListenerSockets>> adopt_listeners(std::vector<UniqueFd> descriptors) {
  if (descriptors.empty() || descriptors.size() % 3 != 0) {
    return fail("expected three sockets per listener address, got " +
                std::to_string(descriptors.size()));
  }
  std::vector<ListenerSockets> listeners;
  for (std::size_t i = 0; i < descriptors.size(); i += 3) {
    ListenerSockets sockets;
    IpAddress dns_tcp;
    IpAddress dns_udp;
    auto adopted = adopt_one(std::move(descriptors[i]), SOCK_STREAM, sockets.address, sockets.tcp,
                             sockets.tcp_port);
    if (adopted) {
      adopted = adopt_one(std::move(descriptors[i + 1]), SOCK_STREAM, dns_tcp, sockets.dns_tcp,
                          sockets.dns_tcp_port);
    }
    if (adopted) {
      adopted = adopt_one(std::move(descriptors[i + 2]), SOCK_DGRAM, dns_udp, sockets.dns_udp,
                          sockets.dns_udp_port);
    }
    if (!adopted) return std::unexpected(adopted.error());
    if (dns_tcp != sockets.address || dns_udp != sockets.address) {
      return fail("handed-over sockets of one listener are on different addresses");
    }
    listeners.push_back(std::move(sockets));
  }
  return listeners;
}

}  // namespace agentsh::netns
