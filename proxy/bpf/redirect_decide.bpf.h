// Where a destination leads: pure decisions over a session's configuration.
#pragma once

#include "proxy/bpf/redirect_maps.bpf.h"

enum Route {
  kRouteLocal,     // Loopback and the session's own addresses: left alone.
  kRouteTcp,       // To the proxy's listener.
  kRouteDnsTcp,    // To the DNS service.
  kRouteDnsUdp,    //
  kRouteListener,  // The proxy's own address, asked for directly.
  kRouteOtherUdp,  // A datagram that is not DNS.
  kRouteNoFamily,  // Not local, and the session has no listener of this family.
};

static __always_inline int is_listener4(const struct SessionConfig* config, __u32 address) {
  return config->listener_count4 != 0 &&
         (address == config->listeners4[0].address || address == config->listeners4[1].address ||
          address == config->listeners4[2].address || address == config->listeners4[3].address);
}

// 127.0.0.0/8, 0.0.0.0 (which the kernel takes as loopback) and the session's own addresses.
static __always_inline int is_local4(const struct SessionConfig* config, __u32 address) {
  return (address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) || address == 0 ||
         address == config->own4[0] || address == config->own4[1] || address == config->own4[2] ||
         address == config->own4[3];
}

static __always_inline int same6(const __u32 a[4], const __u32 b[4]) {
  return a[3] == b[3] && a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

static __always_inline int is_listener6(const struct SessionConfig* config,
                                        const __u32 address[4]) {
  return config->listener_count6 != 0 && (same6(address, config->listeners6[0].address) ||
                                          same6(address, config->listeners6[1].address) ||
                                          same6(address, config->listeners6[2].address) ||
                                          same6(address, config->listeners6[3].address));
}

// ::1, :: (taken as loopback) and the session's own addresses. Unused ones repeat the first, or are
// :: where there is none.
static __always_inline int is_local6(const struct SessionConfig* config, const __u32 address[4]) {
  if (address[0] == 0 && address[1] == 0 && address[2] == 0 &&
      (address[3] == 0 || address[3] == bpf_htonl(1))) {
    return 1;
  }
  return same6(address, config->own6[0]) || same6(address, config->own6[1]) ||
         same6(address, config->own6[2]) || same6(address, config->own6[3]);
}

// Does this loopback port lead to the host's localhost?
static __always_inline int is_host_port(const struct SessionConfig* config, __u16 port) {
  if (config->host_port_count == 0) return 0;
  for (int i = 0; i < kMaxHostPorts; ++i) {
    if (config->host_ports[i] == port) return 1;
  }
  return 0;
}

static __always_inline enum Route route_remote(__u32 protocol, __u16 port, __u32 listener_count) {
  if (listener_count == 0) return kRouteNoFamily;
  if (protocol == kProtocolTcp) return port == kDnsPort ? kRouteDnsTcp : kRouteTcp;
  return port == kDnsPort ? kRouteDnsUdp : kRouteOtherUdp;
}

static __always_inline enum Route route4(const struct SessionConfig* config, __u32 address,
                                         __u16 port, __u32 protocol) {
  if (is_listener4(config, address)) return kRouteListener;
  if (is_local4(config, address)) {
    const int loopback = (address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
    if (protocol == kProtocolTcp && loopback && is_host_port(config, port)) {
      return config->listener_count4 ? kRouteTcp : kRouteNoFamily;
    }
    return kRouteLocal;
  }
  return route_remote(protocol, port, config->listener_count4);
}

static __always_inline enum Route route6(const struct SessionConfig* config, const __u32 address[4],
                                         __u16 port, __u32 protocol) {
  if (is_listener6(config, address)) return kRouteListener;
  if (is_local6(config, address)) {
    const int loopback = (address[0] | address[1] | address[2]) == 0 && address[3] != 0;
    if (protocol == kProtocolTcp && loopback && is_host_port(config, port)) {
      return config->listener_count6 ? kRouteTcp : kRouteNoFamily;
    }
    return kRouteLocal;
  }
  return route_remote(protocol, port, config->listener_count6);
}

static __always_inline int is_dns_port4(const struct SessionConfig* config, __u32 address,
                                        __u16 port) {
  for (int i = 0; i < kMaxListeners; ++i) {
    if (config->listeners4[i].address == address && config->listeners4[i].dns_udp_port == port)
      return 1;
  }
  return 0;
}

static __always_inline int is_dns_port6(const struct SessionConfig* config, const __u32 address[4],
                                        __u16 port) {
  for (int i = 0; i < kMaxListeners; ++i) {
    if (config->listeners6[i].dns_udp_port == port &&
        same6(config->listeners6[i].address, address)) {
      return 1;
    }
  }
  return 0;
}

// Is this the proxy's own socket, or one that it accepted? The listeners are in the session's
// cgroup when the session's init opened them. No process of the session can be bound to their
// ports.
static __always_inline int is_service4(const struct SessionConfig* config, __u32 address,
                                       __u16 port) {
  if (config->listener_count4 == 0) return 0;
  for (int i = 0; i < kMaxListeners; ++i) {
    const struct Listener4* listener = &config->listeners4[i];
    if (listener->address == address &&
        (listener->tcp_port == port || listener->dns_tcp_port == port ||
         listener->dns_udp_port == port)) {
      return 1;
    }
  }
  return 0;
}

static __always_inline int is_service6(const struct SessionConfig* config, const __u32 address[4],
                                       __u16 port) {
  if (config->listener_count6 == 0) return 0;
  for (int i = 0; i < kMaxListeners; ++i) {
    const struct Listener6* listener = &config->listeners6[i];
    if (same6(listener->address, address) &&
        (listener->tcp_port == port || listener->dns_tcp_port == port ||
         listener->dns_udp_port == port)) {
      return 1;
    }
  }
  return 0;
}

static __always_inline __u32 pick_listener(__u32 count) {
  return count <= 1 ? 0 : (bpf_get_prandom_u32() % count) & (kMaxListeners - 1);
}

struct Denial {
  __u64 tag;
  __s32 error;  // 0: not denied here.
};

// The static rules of the policy for one destination.
static __noinline int find_denial(const struct SessionConfig* config, const __u8 destination[16],
                                  __u16 port, struct Denial* out) {
  __u32 index = config->denial_table;
  struct DenialKey key;
  out->error = 0;
  out->tag = 0;
  if (index == kNoDenialTable) return 0;
  void* table = bpf_map_lookup_elem(&denial_tables, &index);
  if (!table) {
    out->error =
        kNotPermitted;  // A session whose table is gone: nothing can be said to be allowed.
    return 0;
  }
  key.prefix_length = 128;
  copy_v6(key.address, (const __u32*)destination);
  const struct DenialValue* value = bpf_map_lookup_elem(table, &key);
  if (!value) return 0;
  for (__u32 i = 0; i < kMaxPortRanges; ++i) {
    if (i >= value->count) break;
    const struct PortRange* range = &value->ranges[i];
    if (port < range->first || port > range->last) continue;
    if (range->answer == kAnswerPass) break;
    out->error = range->answer == kAnswerRefused ? kConnectionRefused : kNotPermitted;
    out->tag = range->tag;
    break;
  }
  return 0;
}
