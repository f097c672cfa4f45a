// The packet path: the last wall, and the sender of each DNS query. TCP over IPv4 loopback leaves
// it after one comparison.
#pragma once

#include "proxy/bpf/redirect_decide.bpf.h"
#include "proxy/bpf/redirect_report.bpf.h"

// ----------------------------------------------------

struct Ports {
  __be16 source;
  __be16 destination;
};

struct Packet {
  __u32 source[4];
  __u32 destination[4];  // Mapped for IPv4.
  __u8 protocol;
  __u8 v4;
  struct Ports ports;  // Zero where there are none.
};

struct Ip4Header {
  __u8 version_and_length;
  __u8 service;
  __be16 length;
  __be16 id;
  __be16 fragment;
  __u8 ttl;
  __u8 protocol;
  __be16 checksum;
  __be32 source;
  __be32 destination;
};
struct Ip6Header {
  __be32 flow;
  __be16 length;
  __u8 next;
  __u8 hops;
  __be32 source[4];
  __be32 destination[4];
};

static __always_inline struct bpf_sock* owner(struct __sk_buff* skb) {
  struct bpf_sock* sk = skb->sk;
  return sk ? bpf_sk_fullsock(sk) : 0;
}

static __always_inline struct SocketState* owner_state(struct __sk_buff* skb) {
  struct bpf_sock* sk = owner(skb);
  return sk ? bpf_sk_storage_get(&sockets, sk, 0, 0) : 0;
}

static __noinline int drop_packet(struct __sk_buff* skb, const struct SessionConfig* config,
                                  const struct Packet* packet) {
  struct Refusal refusal = {
      .port = bpf_ntohs(packet->ports.destination),
      .protocol = packet->protocol,
      .reason = packet->protocol == kProtocolUdp ? kRefusedUdp : kRefusedEgress,
      .error = kNotPermitted,
  };
  copy_v6(refusal.destination, packet->destination);
  report_socket(config, &refusal, owner_state(skb));
  return kRefuse;
}

// A query on its way to the DNS service. Without a socket that was redirected it did not come by
// the hooks above, and goes nowhere.
static __noinline int record_query(struct __sk_buff* skb, const struct SessionConfig* config,
                                   const struct Packet* packet) {
  struct FlowKey key = {.netns_cookie = config->netns_cookie,
                        .source_port = bpf_ntohs(packet->ports.source)};
  struct FlowValue value = {};
  struct SocketState* state = owner_state(skb);
  if (!state || state->kind != kSocketDns) return drop_packet(skb, config, packet);
  copy_v6(key.source, packet->source);
  fill_flow(&value, state);
  bpf_map_update_elem(&queries, &key, &value, BPF_ANY);
  return kProceed;
}

static __always_inline int judge_packet(struct __sk_buff* skb, const struct SessionConfig* config,
                                        const struct Packet* packet) {
  const __u16 port = bpf_ntohs(packet->ports.destination);
  const int listener = packet->v4 ? is_listener4(config, packet->destination[3])
                                  : is_listener6(config, packet->destination);
  if (listener) {
    if (packet->protocol == kProtocolTcp) return kProceed;
    if (packet->protocol != kProtocolUdp) return drop_packet(skb, config, packet);
    const int query = packet->v4 ? is_dns_port4(config, packet->destination[3], port)
                                 : is_dns_port6(config, packet->destination, port);
    return query ? record_query(skb, config, packet) : kProceed;
  }
  const int local = packet->v4 ? is_local4(config, packet->destination[3])
                               : is_local6(config, packet->destination);
  return local ? kProceed : drop_packet(skb, config, packet);
}

static __always_inline void load_ports(struct __sk_buff* skb, struct Packet* packet, __u32 offset) {
  if (packet->protocol != kProtocolTcp && packet->protocol != kProtocolUdp) return;
  bpf_skb_load_bytes(skb, offset, &packet->ports, sizeof packet->ports);
}

static __always_inline int egress4(struct __sk_buff* skb, const struct SessionConfig* config) {
  struct Ip4Header header;
  if (bpf_skb_load_bytes(skb, 0, &header, sizeof header)) return kRefuse;
  // TCP to loopback, the redirected flows among it: all that an established connection pays.
  if (header.protocol == kProtocolTcp &&
      (header.destination & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000)) {
    return kProceed;
  }
  struct Packet packet = {.protocol = header.protocol, .v4 = 1};
  map_v4((__u8*)packet.source, header.source);
  map_v4((__u8*)packet.destination, header.destination);
  load_ports(skb, &packet, (header.version_and_length & 0x0f) * 4);
  return judge_packet(skb, config, &packet);
}

static __always_inline int egress6(struct __sk_buff* skb, const struct SessionConfig* config) {
  struct Ip6Header header;
  if (bpf_skb_load_bytes(skb, 0, &header, sizeof header)) return kRefuse;
  struct Packet packet = {.protocol = header.next};
  copy_v6((__u8*)packet.source, header.source);
  copy_v6((__u8*)packet.destination, header.destination);
  if (packet.protocol != kProtocolTcp) load_ports(skb, &packet, sizeof header);
  return judge_packet(skb, config, &packet);
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff* skb) {
  const struct SessionConfig* config = session();
  if (config->netns_cookie == 0) return kRefuse;
  if (skb->protocol == bpf_htons(kEtherIp4)) return egress4(skb, config);
  if (skb->protocol == bpf_htons(kEtherIp6)) return egress6(skb, config);
  return kRefuse;
}
