#include "base/netns/nft_apply.h"

#include "base/netns/netlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <optional>
#include <string>

namespace agentsh::netns {
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

constexpr std::uint32_t kLoggedBytes = 128;  // IP and transport header.

template <class T>
Bytes object_bytes(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

void begin_log_configuration(NetlinkWriter& writer, std::uint16_t group) {
  writer.begin(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK);
  nfgenmsg head{};
  head.nfgen_family = AF_UNSPEC;
  head.version = NFNETLINK_V0;
  head.res_id = htons(group);
  writer.header(head);
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

Result<UniqueFd> open_refusal_log(std::uint16_t group) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return std::unexpected(socket.error());
  NetlinkWriter writer;
  begin_log_configuration(writer, group);
  const nfulnl_msg_config_cmd bind{NFULNL_CFG_CMD_BIND};
  writer.attribute(NFULA_CFG_CMD, object_bytes(bind));
  begin_log_configuration(writer, group);
  nfulnl_msg_config_mode mode{};
  mode.copy_range = htonl(kLoggedBytes);
  mode.copy_mode = NFULNL_COPY_PACKET;
  writer.attribute(NFULA_CFG_MODE, object_bytes(mode));
  // Every packet at once instead of in bundles after a second.
  writer.attribute(NFULA_CFG_QTHRESH, htonl(1));
  auto errors = socket->exchange(writer.finish(), writer.count());
  if (!errors) return std::unexpected(errors.error());
  for (const int error : *errors) {
    if (error != 0) return std::unexpected(errno_error(error, "bind", "netfilter log"));
  }
  return socket->release();
}

}  // namespace agentsh::netns
