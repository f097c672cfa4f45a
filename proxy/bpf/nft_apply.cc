#include "proxy/bpf/nft_apply.h"

#include "proxy/bpf/netlink.h"

#include <linux/netfilter/nfnetlink.h>

#include <optional>
#include <string>

namespace agentsh::bpf {
namespace {

// The sequence number of the last message that asks for an acknowledgement.
std::optional<std::uint32_t> awaited_sequence(Bytes batch) {
  std::optional<std::uint32_t> awaited;
  const bool sound = walk_messages(batch, [&](const NetlinkMessage& message) {
    if (message.header.nlmsg_flags & NLM_F_ACK) awaited = message.header.nlmsg_seq;
    return true;
  });
  return sound ? awaited : std::nullopt;
}

}  // namespace

Result<UniqueFd> open_netfilter_socket() {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return std::unexpected(socket.error());
  return socket->release();
}

Result<> apply_batch(int netfilter_socket, Bytes batch) {
  const auto awaited = awaited_sequence(batch);
  if (!awaited) return fail("not an nftables batch with an acknowledgement");
  if (auto sent = netlink_send(netfilter_socket, batch); !sent) return sent;
  for (;;) {
    auto answer = netlink_receive(netfilter_socket);
    if (!answer) return std::unexpected(with_context(answer.error(), "nftables"));
    std::optional<Error> error;
    bool done = false;
    const bool sound = walk_messages(*answer, [&](const NetlinkMessage& message) {
      const auto code = message.error();
      if (!code) return true;
      if (*code != 0) {
        error = errno_error(*code, "nftables message", std::to_string(message.header.nlmsg_seq));
        return false;
      }
      done = done || message.header.nlmsg_seq == *awaited;
      return true;
    });
    if (error) return std::unexpected(*error);
    if (!sound) return fail("malformed nftables answer", std::errc::bad_message);
    if (done) return {};
  }
}

}  // namespace agentsh::bpf
