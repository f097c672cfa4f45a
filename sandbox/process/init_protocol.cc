#include "sandbox/process/init_protocol.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>

namespace agentsh::sandbox {
namespace {

// Half a message would make the next one part of it, so a socket that is full is waited for. The
// other end does nothing but read it.
constexpr std::chrono::seconds kSendLimit(10);

struct Header {
  std::uint32_t length;  // Of the body.
  MessageKind kind;
};

}  // namespace

std::string packet_bytes(MessageKind kind, std::string_view body) {
  Header header{static_cast<std::uint32_t>(body.size()), kind};
  std::string packet(reinterpret_cast<const char*>(&header), sizeof header);
  packet += body;
  return packet;
}

Result<> send_packet(int socket, MessageKind kind, std::string_view body,
                     std::span<const int> fds) {
  if (body.size() > kMaxPacket)
    return fail("arguments and environment are too long", std::errc::argument_list_too_long);
  return send_with_fds(socket, packet_bytes(kind, body), fds, kSendLimit);
}

Result<Packet> receive_packet(int socket) {
  // The descriptors travel with the first byte, so they arrive with the header.
  auto head = receive_with_fds(socket, sizeof(Header));
  if (!head) return std::unexpected(head.error());
  if (head->data.size() != sizeof(Header)) {
    return fail("the other end of a session's socket is gone", std::errc::connection_reset);
  }
  Header header;
  std::memcpy(&header, head->data.data(), sizeof header);
  if (header.length > kMaxPacket) return fail("oversized session message", std::errc::message_size);
  Packet packet{header.kind, std::string(header.length, '\0'), std::move(head->fds), head->sender};
  std::size_t have = 0;
  while (have < packet.body.size()) {
    const ssize_t got =
        ::recv(socket, packet.body.data() + have, packet.body.size() - have, MSG_WAITALL);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail("a session message ended early", std::errc::connection_reset);
    have += static_cast<std::size_t>(got);
  }
  return packet;
}

}  // namespace agentsh::sandbox
