#include "proxy/bpf/nft_refusal_log.h"

#include "base/netns/netlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace agentsh::bpf {
namespace {

constexpr std::size_t kReceiveSize = 65536;
// Refusals told apart in one call; more are counted with the last of their kind.
constexpr std::size_t kMaxReports = 256;

struct Destination {
  Endpoint endpoint;
  int protocol = 0;
};

// The destination of a packet that begins with its IP header. Extension headers of IPv6 are not
// followed: their packet has no port here.
std::optional<Destination> read_packet(Bytes packet) {
  if (packet.empty()) return {};
  ByteReader reader(packet);
  Destination found;
  const int version = packet[0] >> 4;
  std::size_t header = 0;
  if (version == 4) {
    header = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
    reader.skip(9);
    found.protocol = reader.u8();
    reader.skip(6);
    const Bytes address = reader.bytes(4);
    if (!reader.ok() || header < 20) return {};
    found.endpoint.address = IpAddress::from_network(address.data(), 4);
  } else if (version == 6) {
    header = 40;
    reader.skip(6);
    found.protocol = reader.u8();
    reader.skip(17);
    const Bytes address = reader.bytes(16);
    if (!reader.ok()) return {};
    found.endpoint.address = IpAddress::from_network(address.data(), 16);
  } else {
    return {};
  }
  if (packet.size() >= header + 4 &&
      (found.protocol == IPPROTO_TCP || found.protocol == IPPROTO_UDP)) {
    ByteReader ports(packet.subspan(header));
    ports.u16();
    found.endpoint.port = ports.u16();
  }
  return found;
}

RefusalKind kind_of(const Destination& to, std::span<const IpAddress> listeners) {
  if (std::ranges::find(listeners, to.endpoint.address) != listeners.end())
    return RefusalKind::kListener;
  return to.protocol == IPPROTO_UDP ? RefusalKind::kUdp : RefusalKind::kEgress;
}

std::optional<KernelRefusal> read_message(const netns::NetlinkMessage& message,
                                          std::span<const IpAddress> listeners) {
  if (message.header.nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) return {};
  if (message.body.size() < sizeof(nfgenmsg)) return {};
  const Bytes attributes = message.body.subspan(sizeof(nfgenmsg));
  const auto destination = read_packet(netns::find_attribute(attributes, NFULA_PAYLOAD));
  if (!destination) return {};
  KernelRefusal refusal;
  refusal.kind = kind_of(*destination, listeners);
  refusal.destination = destination->endpoint;
  refusal.protocol = destination->protocol;
  // What the caller gets: a reset, or the verdict of the output hook.
  refusal.error = destination->protocol == IPPROTO_TCP ? ECONNREFUSED : EPERM;
  ByteReader uid(netns::find_attribute(attributes, NFULA_UID));
  if (const std::uint32_t value = uid.u32(); uid.ok()) refusal.uid = value;
  refusal.first_at = refusal.last_at = std::chrono::system_clock::now();
  return refusal;
}

bool equal(const KernelRefusal& a, const KernelRefusal& b) {
  return a.destination == b.destination && a.protocol == b.protocol && a.uid == b.uid &&
         a.kind == b.kind;
}

void add(std::vector<KernelRefusal>& all, KernelRefusal refusal) {
  const auto same =
      std::ranges::find_if(all, [&](const KernelRefusal& each) { return equal(each, refusal); });
  if (same != all.end()) {
    same->count += refusal.count;
    same->last_at = refusal.last_at;
  } else if (all.size() < kMaxReports) {
    all.push_back(std::move(refusal));
  } else {
    all.back().count += refusal.count;
  }
}

}  // namespace

std::vector<KernelRefusal> parse_refusal_log(Bytes datagram, std::span<const IpAddress> listeners) {
  std::vector<KernelRefusal> refusals;
  netns::walk_messages(datagram, [&](const netns::NetlinkMessage& message) {
    if (auto refusal = read_message(message, listeners)) refusals.push_back(std::move(*refusal));
    return true;
  });
  return refusals;
}

Result<> NftRefusalLog::read(const RefusalCallback& report) {
  std::vector<KernelRefusal> all;
  std::vector<std::uint8_t> buffer(kReceiveSize);
  Result<> result;
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      ++overflows_;
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) {
      result = std::unexpected(errno_error("receive", "netfilter log"));
      break;
    }
    for (KernelRefusal& refusal :
         parse_refusal_log(Bytes(buffer).first(static_cast<std::size_t>(got)), listeners_)) {
      add(all, std::move(refusal));
    }
  }
  for (const KernelRefusal& refusal : all) report(refusal);
  return result;
}

}  // namespace agentsh::bpf
