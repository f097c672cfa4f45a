// Buffers of one recvmmsg/sendmmsg round. One per thread is enough, whatever the number of sockets:
// nothing stays in it between rounds.
#pragma once

#include "base/bytes.h"
#include "base/ip.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <vector>

namespace agentsh::dns {

inline constexpr std::size_t kUdpControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));

// Where a datagram came from, and as a control message the address that it was sent to, ready to
// reply with.
struct UdpPeer {
  sockaddr_storage address{};
  socklen_t address_length = 0;
  alignas(cmsghdr) std::array<std::uint8_t, kUdpControlBytes> control{};
  std::size_t control_length = 0;
};

class UdpBatch {
 public:
  static constexpr std::size_t kSize = 32;
  // No question is longer: a name, and a few EDNS options.
  static constexpr std::size_t kMaxQuestionBytes = 2048;

  UdpBatch();

  // Receives without waiting. Returns the number of datagrams, 0 when there are none, -1 with errno
  // when the socket will never give any.
  int receive(int socket);

  Bytes datagram(std::size_t index) const;
  bool was_cut(std::size_t index) const;
  // The sender; its control message is turned round for the reply.
  UdpPeer& peer(std::size_t index) { return peers_[index]; }
  Endpoint client(std::size_t index) const;

  // The next reply's buffer, and queueing it for peer(index).
  std::vector<std::uint8_t>& reply_buffer() { return replies_[queued_]; }
  void queue_reply(std::size_t index);
  // Sends what was queued.
  void send(int socket);

 private:
  std::array<std::array<std::uint8_t, kMaxQuestionBytes>, kSize> buffers_;
  std::array<UdpPeer, kSize> peers_;
  std::array<iovec, kSize> parts_{};
  std::array<mmsghdr, kSize> messages_{};
  std::array<std::vector<std::uint8_t>, kSize> replies_;
  std::array<iovec, kSize> reply_parts_{};
  std::array<mmsghdr, kSize> reply_messages_{};
  std::size_t queued_ = 0;
};

// One reply by itself.
void send_datagram(int socket, Bytes data, UdpPeer peer);

// Whether a reply could leave from another address than was asked: the socket is bound to none of
// its own.
bool needs_packet_info(int socket);
// Asks the kernel to say where each datagram was sent to. `socket` is of either family.
bool enable_packet_info(int socket);

}  // namespace agentsh::dns
