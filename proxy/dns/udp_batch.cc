#include "proxy/dns/udp_batch.h"

#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace agentsh::dns {
namespace {

// A received IP_PKTINFO says the destination in ipi_addr; one that is sent takes the source from
// ipi_spec_dst (ip(7)).
void turn_round(cmsghdr* header) {
  if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
    in_pktinfo info;
    std::memcpy(&info, CMSG_DATA(header), sizeof info);
    info.ipi_spec_dst = info.ipi_addr;
    info.ipi_ifindex = 0;
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
  } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info;
    std::memcpy(&info, CMSG_DATA(header), sizeof info);
    // A link-local source means nothing without its interface.
    if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
  }
}

msghdr header_for(UdpPeer& peer, iovec& part) {
  msghdr header{};
  header.msg_name = &peer.address;
  header.msg_namelen = peer.address_length;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (peer.control_length > 0) {
    header.msg_control = peer.control.data();
    header.msg_controllen = peer.control_length;
  }
  return header;
}

}  // namespace

UdpBatch::UdpBatch() {
  for (std::size_t i = 0; i < kSize; ++i) parts_[i] = {buffers_[i].data(), buffers_[i].size()};
}

int UdpBatch::receive(int socket) {
  for (std::size_t i = 0; i < kSize; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    header = {};
    header.msg_name = &peers_[i].address;
    header.msg_namelen = sizeof peers_[i].address;
    header.msg_iov = &parts_[i];
    header.msg_iovlen = 1;
    header.msg_control = peers_[i].control.data();
    header.msg_controllen = peers_[i].control.size();
  }
  queued_ = 0;
  const int count = ::recvmmsg(socket, messages_.data(), kSize, MSG_DONTWAIT, nullptr);
  if (count < 0) {
    // Whatever else happens (no memory, a late ICMP error) passes.
    const bool broken = errno == EBADF || errno == ENOTSOCK || errno == EFAULT || errno == EINVAL;
    return broken ? -1 : 0;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    msghdr& header = messages_[i].msg_hdr;
    peers_[i].address_length = header.msg_namelen;
    peers_[i].control_length = header.msg_controllen;
    if (cmsghdr* control = CMSG_FIRSTHDR(&header)) turn_round(control);
  }
  return count;
}

Bytes UdpBatch::datagram(std::size_t index) const {
  return {buffers_[index].data(),
          std::min<std::size_t>(messages_[index].msg_len, kMaxQuestionBytes)};
}

bool UdpBatch::was_cut(std::size_t index) const {
  return messages_[index].msg_hdr.msg_flags & MSG_TRUNC;
}

Endpoint UdpBatch::client(std::size_t index) const {
  const UdpPeer& peer = peers_[index];
  return Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&peer.address),
                                 peer.address_length)
      .value_or(Endpoint());
}

void UdpBatch::queue_reply(std::size_t index) {
  std::vector<std::uint8_t>& reply = replies_[queued_];
  reply_parts_[queued_] = {reply.data(), reply.size()};
  reply_messages_[queued_].msg_hdr = header_for(peers_[index], reply_parts_[queued_]);
  ++queued_;
}

void UdpBatch::send(int socket) {
  std::size_t sent = 0;
  while (sent < queued_) {
    const int count = ::sendmmsg(socket, reply_messages_.data() + sent,
                                 static_cast<unsigned>(queued_ - sent), MSG_DONTWAIT);
    // The first of the rest was refused: its client is gone, or the buffer is full. It is dropped.
    if (count < 0 && errno != EINTR) ++sent;
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  queued_ = 0;
}

void send_datagram(int socket, Bytes data, UdpPeer peer) {
  iovec part = {const_cast<std::uint8_t*>(data.data()), data.size()};
  const msghdr header = header_for(peer, part);
  // Fails like a datagram that is lost on the way.
  (void)::sendmsg(socket, &header, MSG_DONTWAIT);
}

bool needs_packet_info(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return true;
  const auto bound = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), length);
  return !bound || classify(bound->address) == AddressClass::kUnspecified;
}

bool enable_packet_info(int socket) {
  const int on = 1;
  const bool v4 = ::setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0;
  const bool v6 = ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0;
  return v4 || v6;
}

}  // namespace agentsh::dns
