#include "proxy/bpf/nft_ruleset.h"

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace agentsh::bpf {
namespace {

constexpr char kTable[] = "agentsh";
constexpr char kRedirectChain[] = "redirect";
constexpr char kWallChain[] = "wall";
constexpr std::int32_t kNatPriority = -100;  // NF_IP_PRI_NAT_DST: before the wall.
constexpr std::int32_t kWallPriority = 0;
constexpr std::size_t kMaxMessage = 16384;

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Table = std::unique_ptr<nftnl_table, Freeing<nftnl_table_free>>;
using Chain = std::unique_ptr<nftnl_chain, Freeing<nftnl_chain_free>>;
using Rule = std::unique_ptr<nftnl_rule, Freeing<nftnl_rule_free>>;

std::span<const std::uint8_t> address_bytes(const IpAddress& address) {
  const std::span<const std::uint8_t> bytes(address.bytes());
  return address.is_v6() ? bytes : bytes.subspan(12);
}

// The messages of one transaction.
class Batch {
 public:
  Batch() {
    scratch_.resize(kMaxMessage);
    nftnl_batch_begin(scratch_.data(), ++sequence_);
    keep(reinterpret_cast<const nlmsghdr*>(scratch_.data()));
  }

  nlmsghdr* begin(std::uint16_t type, std::uint16_t family, std::uint16_t flags) {
    return nftnl_nlmsg_build_hdr(scratch_.data(), type, family, flags, ++sequence_);
  }
  // Appends the message that begin() started.
  void keep(const nlmsghdr* message) {
    last_ = bytes_.size();
    const auto* from = reinterpret_cast<const std::uint8_t*>(message);
    bytes_.insert(bytes_.end(), from, from + NLMSG_ALIGN(message->nlmsg_len));
  }

  // One acknowledgement, for the last message: it comes when the whole transaction is in force.
  std::vector<std::uint8_t> finish() {
    nlmsghdr head;
    std::memcpy(&head, bytes_.data() + last_, sizeof head);
    head.nlmsg_flags |= NLM_F_ACK;
    std::memcpy(bytes_.data() + last_, &head, sizeof head);
    nftnl_batch_end(scratch_.data(), ++sequence_);
    keep(reinterpret_cast<const nlmsghdr*>(scratch_.data()));
    return std::move(bytes_);
  }

 private:
  std::vector<char> scratch_;
  std::vector<std::uint8_t> bytes_;
  std::size_t last_ = 0;
  std::uint32_t sequence_ = 0;
};

// One rule under construction: matches, then what to do.
class RuleBuilder {
 public:
  RuleBuilder(std::uint16_t family, const char* chain)
      : family_(family), rule_(nftnl_rule_alloc()) {
    nftnl_rule_set_str(rule_.get(), NFTNL_RULE_TABLE, kTable);
    nftnl_rule_set_str(rule_.get(), NFTNL_RULE_CHAIN, chain);
    nftnl_rule_set_u32(rule_.get(), NFTNL_RULE_FAMILY, family);
  }

  RuleBuilder& to(const IpAddress& address) {
    load_destination();
    return compare(address_bytes(address));
  }
  RuleBuilder& to_loopback() {
    load_destination();
    if (family_ == NFPROTO_IPV6) return compare(in6addr_loopback.s6_addr);
    constexpr std::uint8_t kMask[4] = {0xff, 0, 0, 0};
    constexpr std::uint8_t kNone[4] = {};
    constexpr std::uint8_t kLoopback[4] = {127, 0, 0, 0};
    mask(kMask, kNone);
    return compare(kLoopback);
  }
  RuleBuilder& protocol(std::uint8_t number) {
    nftnl_expr* meta = add("meta");
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_L4PROTO);
    nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
    return compare({&number, 1});
  }
  RuleBuilder& to_port(std::uint8_t transport, std::uint16_t port) {
    protocol(transport);
    load(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    const std::uint8_t big_endian[2] = {static_cast<std::uint8_t>(port >> 8),
                                        static_cast<std::uint8_t>(port)};
    return compare(big_endian);
  }
  // A packet of a connection that the nat chain redirected.
  RuleBuilder& redirected() {
    const std::uint32_t bit = IPS_DST_NAT;
    const std::uint32_t zero = 0;
    load_connection(NFT_CT_STATUS);
    mask(bytes_of(bit), bytes_of(zero));
    return compare(bytes_of(zero), NFT_CMP_NEQ);
  }
  // An answer: among them the reset that a rejected connection gets.
  RuleBuilder& reply() {
    const std::uint8_t direction = IP_CT_DIR_REPLY;
    load_connection(NFT_CT_DIRECTION);
    return compare({&direction, 1});
  }

  RuleBuilder& accept() {
    nftnl_expr* verdict = add("immediate");
    nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
    return *this;
  }
  RuleBuilder& redirect_to(const IpAddress& address, std::uint16_t port) {
    const auto bytes = address_bytes(address);
    const std::uint16_t big_endian = htons(port);
    immediate(NFT_REG_1, bytes.data(), bytes.size());
    immediate(NFT_REG_2, &big_endian, sizeof big_endian);
    nftnl_expr* nat = add("nat");
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_FAMILY, family_);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
    nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
    return *this;
  }
  RuleBuilder& log(std::uint16_t group) {
    nftnl_expr* log = add("log");
    nftnl_expr_set_u16(log, NFTNL_EXPR_LOG_GROUP, group);
    nftnl_expr_set_u32(log, NFTNL_EXPR_LOG_SNAPLEN, 128);
    return *this;
  }
  RuleBuilder& reject_tcp() { return reject(NFT_REJECT_TCP_RST, 0); }
  RuleBuilder& reject_other() {
    return family_ == NFPROTO_IPV4 ? reject(NFT_REJECT_ICMP_UNREACH, ICMP_PKT_FILTERED)
                                   : reject(NFT_REJECT_ICMP_UNREACH, ICMP6_DST_UNREACH_ADMIN);
  }

  void add_to(Batch& batch) {
    nlmsghdr* message = batch.begin(NFT_MSG_NEWRULE, family_, NLM_F_CREATE | NLM_F_APPEND);
    nftnl_rule_nlmsg_build_payload(message, rule_.get());
    batch.keep(message);
  }

 private:
  nftnl_expr* add(const char* kind) {
    nftnl_expr* expression = nftnl_expr_alloc(kind);
    nftnl_rule_add_expr(rule_.get(), expression);  // The rule owns it.
    return expression;
  }
  void load(std::uint32_t base, std::uint32_t offset, std::uint32_t length) {
    nftnl_expr* payload = add("payload");
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, length);
  }
  void load_destination() {
    if (family_ == NFPROTO_IPV4) {
      load(NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
    } else {
      load(NFT_PAYLOAD_NETWORK_HEADER, 24, 16);
    }
  }
  void load_connection(std::uint32_t key) {
    nftnl_expr* ct = add("ct");
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_DREG, NFT_REG_1);
  }
  static std::span<const std::uint8_t> bytes_of(const std::uint32_t& value) {
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
  }
  void mask(std::span<const std::uint8_t> bits, std::span<const std::uint8_t> flips) {
    nftnl_expr* bitwise = add("bitwise");
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
    nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, static_cast<std::uint32_t>(bits.size()));
    nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, bits.data(),
                   static_cast<std::uint32_t>(bits.size()));
    nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, flips.data(),
                   static_cast<std::uint32_t>(flips.size()));
  }
  RuleBuilder& compare(std::span<const std::uint8_t> value, std::uint32_t how = NFT_CMP_EQ) {
    nftnl_expr* comparison = add("cmp");
    nftnl_expr_set_u32(comparison, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(comparison, NFTNL_EXPR_CMP_OP, how);
    nftnl_expr_set(comparison, NFTNL_EXPR_CMP_DATA, value.data(),
                   static_cast<std::uint32_t>(value.size()));
    return *this;
  }
  void immediate(std::uint32_t reg, const void* data, std::size_t length) {
    nftnl_expr* value = add("immediate");
    nftnl_expr_set_u32(value, NFTNL_EXPR_IMM_DREG, reg);
    nftnl_expr_set(value, NFTNL_EXPR_IMM_DATA, data, static_cast<std::uint32_t>(length));
  }
  RuleBuilder& reject(std::uint32_t type, std::uint8_t code) {
    nftnl_expr* expression = add("reject");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_REJECT_TYPE, type);
    nftnl_expr_set_u8(expression, NFTNL_EXPR_REJECT_CODE, code);
    return *this;
  }

  std::uint16_t family_;
  Rule rule_;
};

void add_table(Batch& batch, std::uint16_t family, std::uint16_t type, std::uint16_t flags) {
  const Table table(nftnl_table_alloc());
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, kTable);
  nlmsghdr* message = batch.begin(type, family, flags);
  nftnl_table_nlmsg_build_payload(message, table.get());
  batch.keep(message);
}

void add_chain(Batch& batch, std::uint16_t family, const char* name, const char* type,
               std::int32_t priority) {
  const Chain chain(nftnl_chain_alloc());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, kTable);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, name);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, type);
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, NF_INET_LOCAL_OUT);
  nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, priority);
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
  nlmsghdr* message = batch.begin(NFT_MSG_NEWCHAIN, family, NLM_F_CREATE);
  nftnl_chain_nlmsg_build_payload(message, chain.get());
  batch.keep(message);
}

// What concerns one address family.
struct FamilyView {
  std::uint16_t family;
  std::vector<netns::ListenerEndpoint> listeners;
  std::vector<IpAddress> own_addresses;
};

FamilyView view_of(const NftRedirect& redirect, bool v4) {
  FamilyView view{static_cast<std::uint16_t>(v4 ? NFPROTO_IPV4 : NFPROTO_IPV6), {}, {}};
  for (const netns::ListenerEndpoint& listener : redirect.listeners) {
    if (listener.address.is_v4() == v4) view.listeners.push_back(listener);
  }
  for (const IpAddress& address : redirect.own_addresses) {
    if (address.is_v4() == v4) view.own_addresses.push_back(address);
  }
  return view;
}

void add_redirect_chain(Batch& batch, const FamilyView& view, const NftRedirect& redirect) {
  const auto rule = [&] { return RuleBuilder(view.family, kRedirectChain); };
  add_chain(batch, view.family, kRedirectChain, "nat", kNatPriority);
  if (view.listeners.empty()) return;
  const netns::ListenerEndpoint& target = view.listeners.front();
  for (const netns::ListenerEndpoint& listener : view.listeners)
    rule().to(listener.address).accept().add_to(batch);
  for (const std::uint16_t port : redirect.host_ports) {
    rule()
        .to_loopback()
        .to_port(IPPROTO_TCP, port)
        .redirect_to(target.address, target.tcp_port)
        .add_to(batch);
  }
  rule().to_loopback().accept().add_to(batch);
  for (const IpAddress& own : view.own_addresses) rule().to(own).accept().add_to(batch);
  rule().to_port(IPPROTO_UDP, 53).redirect_to(target.address, target.dns_udp_port).add_to(batch);
  rule().to_port(IPPROTO_TCP, 53).redirect_to(target.address, target.dns_tcp_port).add_to(batch);
  rule().protocol(IPPROTO_TCP).redirect_to(target.address, target.tcp_port).add_to(batch);
}

void add_wall_chain(Batch& batch, const FamilyView& view, const NftRedirect& redirect) {
  const auto rule = [&] { return RuleBuilder(view.family, kWallChain); };
  const auto log_if = [&](RuleBuilder&& matching) {
    if (redirect.log_group) matching.log(*redirect.log_group).add_to(batch);
  };
  add_chain(batch, view.family, kWallChain, "filter", kWallPriority);
  for (const netns::ListenerEndpoint& listener : view.listeners) {
    const auto to_listener = [&] { return std::move(rule().to(listener.address)); };
    to_listener().redirected().accept().add_to(batch);
    to_listener().reply().accept().add_to(batch);
    log_if(to_listener());
    to_listener().protocol(IPPROTO_TCP).reject_tcp().add_to(batch);
    to_listener().reject_other().add_to(batch);
  }
  rule().to_loopback().accept().add_to(batch);
  for (const IpAddress& own : view.own_addresses) rule().to(own).accept().add_to(batch);
  log_if(rule());
  rule().protocol(IPPROTO_TCP).reject_tcp().add_to(batch);
  rule().reject_other().add_to(batch);
}

}  // namespace

Result<std::vector<std::uint8_t>> build_nft_batch(const NftRedirect& redirect) {
  if (redirect.listeners.empty()) return fail("nftables redirect without a listener");
  for (const netns::ListenerEndpoint& listener : redirect.listeners) {
    if (listener.tcp_port == 0 || listener.dns_tcp_port == 0 || listener.dns_udp_port == 0) {
      return fail("a listener on " + listener.address.to_string() + " has no port");
    }
  }
  Batch batch;
  for (const bool v4 : {true, false}) {
    const FamilyView view = view_of(redirect, v4);
    // Created so that it can be deleted whether or not it was there.
    add_table(batch, view.family, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    add_table(batch, view.family, NFT_MSG_DELTABLE, 0);
    add_table(batch, view.family, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    add_redirect_chain(batch, view, redirect);
    add_wall_chain(batch, view, redirect);
  }
  return batch.finish();
}

}  // namespace agentsh::bpf
