// The parts of netlink and nftables that need no privilege: building, walking, refusing what is
// malformed.
#include "base/netns/netlink.h"

#include "base/netns/nft_apply.h"
#include "base/netns/session_network.h"
#include "proxy/bpf/nft_ruleset.h"
#include "proxy/bpf/original_destination.h"

#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace agentsh::bpf {
namespace {

TEST(Netlink, WritesMessagesThatCanBeWalked) {
  netns::NetlinkWriter writer;
  EXPECT_EQ(writer.begin(20, NLM_F_REQUEST), 1u);
  const std::uint32_t body = 0x01020304;
  writer.header(body);
  const std::uint8_t odd[3] = {1, 2, 3};
  writer.attribute(5, odd);
  writer.attribute(6, 77u);
  EXPECT_EQ(writer.begin(21, 0), 2u);
  int seen = 0;
  EXPECT_TRUE(netns::walk_messages(writer.finish(), [&](const netns::NetlinkMessage& message) {
    ++seen;
    EXPECT_EQ(message.header.nlmsg_seq, static_cast<std::uint32_t>(seen));
    EXPECT_FALSE(message.error());
    if (seen == 1) {
      const Bytes attributes = message.body.subspan(4);
      EXPECT_EQ(netns::find_attribute(attributes, 5).size(), 3u);
      EXPECT_EQ(netns::find_attribute(attributes, 6).size(), 4u);
      EXPECT_TRUE(netns::find_attribute(attributes, 7).empty());
    }
    return true;
  }));
  EXPECT_EQ(seen, 2);
}

TEST(Netlink, RefusesMalformedDatagrams) {
  netns::NetlinkWriter writer;
  writer.begin(20, 0);
  writer.header(std::uint32_t{1});
  const Bytes good = writer.finish();
  const auto all = [](const netns::NetlinkMessage&) { return true; };
  EXPECT_TRUE(netns::walk_messages(good, all));
  for (std::size_t cut = 1; cut < good.size(); ++cut)
    EXPECT_FALSE(netns::walk_messages(good.first(cut), all)) << cut;
  std::vector<std::uint8_t> lying(good.begin(), good.end());
  for (const std::uint32_t length : {0u, 15u, 21u, 0xffffffffu}) {
    std::memcpy(lying.data(), &length, sizeof length);
    EXPECT_FALSE(netns::walk_messages(lying, all)) << length;
  }
}

TEST(Netlink, ReadsTruncatedErrorsAsErrors) {
  netns::NetlinkMessage message;
  message.header.nlmsg_type = NLMSG_ERROR;
  EXPECT_EQ(message.error(), EBADMSG);
}

NftRedirect example() {
  return {{{netns::listener_address4(0), 1001, 1002, 1003},
           {netns::listener_address6(0), 1001, 1002, 1003}},
          {netns::own_address4(), netns::own_address6()},
          {5432},
          7};
}

TEST(NftBatch, IsOneTransactionWithOneAcknowledgement) {
  auto batch = build_nft_batch(example());
  ASSERT_TRUE(batch);
  std::vector<std::uint16_t> types;
  int acknowledged = 0;
  std::uint32_t sequence = 0;
  EXPECT_TRUE(netns::walk_messages(*batch, [&](const netns::NetlinkMessage& message) {
    types.push_back(message.header.nlmsg_type);
    acknowledged += message.header.nlmsg_flags & NLM_F_ACK ? 1 : 0;
    EXPECT_EQ(message.header.nlmsg_seq, ++sequence);
    return true;
  }));
  ASSERT_GT(types.size(), 10u);
  EXPECT_EQ(types.front(), NFNL_MSG_BATCH_BEGIN);
  EXPECT_EQ(types.back(), NFNL_MSG_BATCH_END);
  EXPECT_EQ(acknowledged, 1);
  EXPECT_LT(batch->size(), 32768u);
}

TEST(NftBatch, NeedsListeners) {
  EXPECT_FALSE(build_nft_batch({}));
  NftRedirect redirect = example();
  redirect.listeners.front().dns_udp_port = 0;
  auto batch = build_nft_batch(redirect);
  ASSERT_FALSE(batch);
  EXPECT_NE(batch.error().what.find("127.83.71.1"), std::string::npos);
}

TEST(NftApply, RefusesWhatIsNoBatch) {
  const std::uint8_t bytes[8] = {};
  EXPECT_FALSE(netns::apply_batch(0, bytes));
  EXPECT_FALSE(netns::apply_batch(0, {}));
}

TEST(Listeners, AreCheckedWhenTheyAreTakenOver) {
  EXPECT_FALSE(netns::adopt_listeners({}));
  std::vector<UniqueFd> two(2);
  EXPECT_FALSE(netns::adopt_listeners(std::move(two)));
  // Three datagram sockets are not what was agreed.
  std::vector<UniqueFd> wrong;
  for (int i = 0; i < 3; ++i) wrong.emplace_back(::socket(AF_INET, SOCK_DGRAM, 0));
  EXPECT_FALSE(netns::adopt_listeners(std::move(wrong)));
  std::vector<UniqueFd> unix_sockets;
  for (int i = 0; i < 3; ++i) unix_sockets.emplace_back(::socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_FALSE(netns::adopt_listeners(std::move(unix_sockets)));
}

TEST(OriginalDestination, IsRefusedForConnectionsThatWereNotRedirected) {
  UniqueFd server(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(server.get(), generic, length), 0);
  ASSERT_EQ(::listen(server.get(), 1), 0);
  ASSERT_EQ(::getsockname(server.get(), generic, &length), 0);
  UniqueFd client(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(client.get(), generic, length), 0);
  UniqueFd accepted(::accept(server.get(), nullptr, nullptr));
  EXPECT_FALSE(original_destination(accepted.get()));
  UniqueFd unix_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_FALSE(original_destination(unix_socket.get()));
  EXPECT_FALSE(original_destination(-1));
}

}  // namespace
}  // namespace agentsh::bpf
