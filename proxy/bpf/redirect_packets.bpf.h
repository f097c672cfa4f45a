// The packet path: the last wall, the hand-over of each connection, and the sender of each DNS
// query. What is not a SYN leaves it after a look at the headers.
#pragma once

#include "proxy/bpf/redirect_decide.bpf.h"
#include "proxy/bpf/redirect_flows.bpf.h"
#include "proxy/bpf/redirect_packet.bpf.h"
#include "proxy/bpf/redirect_report.bpf.h"

static __noinline int drop_packet(struct __sk_buff* skb, const struct SessionConfig* config,
                                  const struct Packet* packet) {
  struct Refusal refusal = {
      .port = bpf_ntohs(packet->destination_port),
      .protocol = packet->protocol,
      .reason = packet->protocol == kProtocolUdp ? kRefusedUdp : kRefusedEgress,
      .error = kNotPermitted,
  };
  copy_v6(refusal.destination, packet->destination);
  report_socket(config, &refusal, sender(skb));
  return kRefuse;
}

// A query on its way to the DNS service. Without a socket that was redirected it did not come by
// the other hooks, and goes nowhere.
static __noinline int record_query(struct __sk_buff* skb, const struct SessionConfig* config,
                                   const struct Packet* packet) {
  struct FlowKey key = {};
  struct FlowValue value = {};
  struct SocketState* state = sender(skb);
  if (!state || state->kind != kSocketDns) return drop_packet(skb, config, packet);
  flow_key(&key, config, packet);
  fill_flow(&value, state);
  bpf_map_update_elem(&queries, &key, &value, BPF_ANY);
  return kProceed;
}

// The first packet of a connection to a listener. The same holds: no redirect, no way.
static __noinline int judge_syn(struct __sk_buff* skb, const struct SessionConfig* config,
                                const struct Packet* packet) {
  struct SocketState* state = sender(skb);
  if (!state || state->kind != kSocketTcp) return drop_packet(skb, config, packet);
  return hand_over(skb, config, packet, state);
}

static __always_inline int to_listener(struct __sk_buff* skb, const struct SessionConfig* config,
                                       const struct Packet* packet) {
  if (packet->protocol == kProtocolTcp) {
    const int opening = (packet->tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
    return opening ? judge_syn(skb, config, packet) : kProceed;
  }
  if (packet->protocol != kProtocolUdp) return drop_packet(skb, config, packet);
  const __u16 port = bpf_ntohs(packet->destination_port);
  const int query = packet->v4 ? is_dns_port4(config, packet->destination[3], port)
                               : is_dns_port6(config, packet->destination, port);
  return query ? record_query(skb, config, packet) : kProceed;
}

static __always_inline int judge_packet(struct __sk_buff* skb, const struct SessionConfig* config,
                                        const struct Packet* packet) {
  const int listener = packet->v4 ? is_listener4(config, packet->destination[3])
                                  : is_listener6(config, packet->destination);
  if (listener) return to_listener(skb, config, packet);
  const int local = packet->v4 ? is_local4(config, packet->destination[3])
                               : is_local6(config, packet->destination);
  if (local) return kProceed;
  // An answer of the proxy to a client that bound itself to some other address.
  const __u16 from = bpf_ntohs(packet->source_port);
  const int service = packet->v4 ? is_service4(config, packet->source[3], from)
                                 : is_service6(config, packet->source, from);
  return service ? kProceed : drop_packet(skb, config, packet);
}

// Is it a TCP packet in the middle of a connection over IPv4 loopback? Almost all are, and this is
// all they pay.
static __always_inline int is_established4(struct __sk_buff* skb) {
  const struct Ip4Header* ip = (void*)(long)skb->data;
  const struct TcpHeader* tcp = (const void*)(ip + 1);
  if ((const void*)(tcp + 1) > (void*)(long)skb->data_end) return 0;
  return ip->version_and_length == 0x45 && ip->protocol == kProtocolTcp &&
         (ip->destination & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) &&
         (tcp->flags & (kTcpSyn | kTcpAck)) != kTcpSyn;
}

static __always_inline int egress4(struct __sk_buff* skb, const struct SessionConfig* config) {
  if (is_established4(skb)) return kProceed;
  struct Ip4Header header;
  if (bpf_skb_load_bytes(skb, 0, &header, sizeof header)) return kRefuse;
  struct Packet packet = {.protocol = header.protocol, .v4 = 1};
  map_v4((__u8*)packet.source, header.source);
  map_v4((__u8*)packet.destination, header.destination);
  load_transport(skb, &packet, (header.version_and_length & 0x0f) * 4);
  return judge_packet(skb, config, &packet);
}

static __always_inline int egress6(struct __sk_buff* skb, const struct SessionConfig* config) {
  struct Ip6Header header;
  if (bpf_skb_load_bytes(skb, 0, &header, sizeof header)) return kRefuse;
  struct Packet packet = {.protocol = header.next};
  copy_v6((__u8*)packet.source, header.source);
  copy_v6((__u8*)packet.destination, header.destination);
  load_transport(skb, &packet, sizeof header);
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
