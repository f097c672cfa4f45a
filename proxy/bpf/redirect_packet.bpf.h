// What the egress hook knows of a packet: addresses, ports, and the socket that sent it.
#pragma once

#include "proxy/bpf/redirect_maps.bpf.h"

enum { kTcpSyn = 0x02, kTcpAck = 0x10 };

struct Packet {
  __u32 source[4];
  __u32 destination[4];  // Mapped for IPv4.
  __be16 source_port;    // Zero where there are none.
  __be16 destination_port;
  __u8 protocol;
  __u8 v4;
  __u8 tcp_flags;
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

// The beginning that TCP and UDP share, and TCP up to its flags.
struct PortsHeader {
  __be16 source;
  __be16 destination;
};
struct TcpHeader {
  struct PortsHeader ports;
  __be32 sequence;
  __be32 acknowledged;
  __u8 offset;
  __u8 flags;
};

static __always_inline void load_transport(struct __sk_buff* skb, struct Packet* packet,
                                           __u32 offset) {
  struct TcpHeader header = {};
  if (packet->protocol == kProtocolTcp) {
    bpf_skb_load_bytes(skb, offset, &header, sizeof header);
  } else if (packet->protocol == kProtocolUdp) {
    bpf_skb_load_bytes(skb, offset, &header.ports, sizeof header.ports);
  }
  packet->source_port = header.ports.source;
  packet->destination_port = header.ports.destination;
  packet->tcp_flags = header.flags;
}

static __always_inline struct SocketState* sender(struct __sk_buff* skb) {
  struct bpf_sock* sk = skb->sk;
  if (!sk) return 0;
  sk = bpf_sk_fullsock(sk);
  return sk ? bpf_sk_storage_get(&sockets, sk, 0, 0) : 0;
}
