// The door of a session: every IP connection and datagram of its processes is turned towards the
// proxy's listeners, left alone (loopback, the session's own addresses) or refused. The wall behind
// it is the network namespace, which has no route out.
//
// Hooks run in the cgroup of the *socket*. They are attached to each session's cgroup; what differs
// between sessions is in its SessionConfig. Nothing here needs more than kernel 6.1.
#include "proxy/bpf/redirect_decide.bpf.h"
#include "proxy/bpf/redirect_flows.bpf.h"
#include "proxy/bpf/redirect_packets.bpf.h"
#include "proxy/bpf/redirect_report.bpf.h"

// --- Sockets -------------------------------------------------------------------------------------

// IPv4 and IPv6 sockets that are neither TCP nor UDP (raw, ICMP, UDP-Lite, SCTP, DCCP, L2TP, MPTCP,
// SMC) have no place in a session. Other families do not come by here: seccomp refuses them.
SEC("cgroup/sock_create")
int sock_create(struct bpf_sock* ctx) {
  const struct SessionConfig* config = session();
  if (ctx->type == kStream && ctx->protocol == kProtocolTcp) return kProceed;
  if (ctx->type == kDatagram && ctx->protocol == kProtocolUdp) return kProceed;
  struct Refusal refusal = {
      .protocol = (__u16)ctx->protocol,
      .socket_type = (__u16)ctx->type,
      .reason = kRefusedSocketType,
      // Programs that try MPTCP or SCTP first fall back on this one.
      .error = kProtocolNotSupported,
  };
  report_current(config, &refusal);
  bpf_set_retval(-kProtocolNotSupported);
  return kRefuse;
}

// --- connect() -----------------------------------------------------------------------------------

static __always_inline int refuse(const struct SessionConfig* config, struct Refusal* refusal,
                                  __u8 reason, __s32 error) {
  refusal->reason = reason;
  refusal->error = error;
  report_current(config, refusal);
  bpf_set_retval(-error);
  return kRefuse;
}

// Refuses a destination that has no way, with the error that a program expects of it.
static __always_inline int refuse_route(const struct SessionConfig* config, struct Refusal* to,
                                        enum Route route) {
  if (route == kRouteListener) return refuse(config, to, kRefusedListener, kNotPermitted);
  if (route == kRouteNoFamily) return refuse(config, to, kRefusedFamily, kNetworkUnreachable);
  return refuse(config, to, kRefusedUdp, kNotPermitted);
}

static __always_inline void remember_caller(struct SocketState* state) {
  struct Caller caller = current_caller();
  state->process_id = caller.process_id;
  state->thread_id = caller.thread_id;
  state->user_id = (__u32)bpf_get_current_uid_gid();
  state->cgroup_id = bpf_get_current_cgroup_id();
  bpf_get_current_comm(state->comm, sizeof state->comm);
}

// Keeps where the socket was going. 0 when there is no memory for it.
static __always_inline int remember(struct bpf_sock* sk, const struct Refusal* to, __u8 kind) {
  struct SocketState* state = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!state) return 0;
  if (state->handed_over) close_flow(state);  // Disconnected, and connected again.
  copy_v6(state->original, (const __u32*)to->destination);
  state->original_port = to->port;
  state->kind = kind;
  remember_caller(state);
  return 1;
}

// A socket that was redirected before and now goes to a local address.
static __always_inline void forget(struct bpf_sock* sk) {
  struct SocketState* state = bpf_sk_storage_get(&sockets, sk, 0, 0);
  if (state) state->kind = kSocketLeftAlone;
}

// Everything that connect4 and connect6 share up to the rewriting of the address. `to` carries the
// destination.
static __always_inline int judge_connect(const struct SessionConfig* config,
                                         struct bpf_sock_addr* ctx, enum Route route,
                                         struct Refusal* to) {
  if (route == kRouteListener || route == kRouteNoFamily) {
    return refuse_route(config, to, route);
  }
  if (route == kRouteTcp) {
    struct Denial denial;
    find_denial(config, to->destination, to->port, &denial);
    if (denial.error) {
      to->tag = denial.tag;
      return refuse(config, to, kRefusedByRule, denial.error);
    }
  }
  __u8 kind = kSocketTcp;
  if (route == kRouteDnsUdp) kind = kSocketDns;
  // connect() of a UDP socket sends nothing: resolvers and address probes use it to learn a source
  // address. The datagrams are what is refused, by sendmsg and egress.
  if (route == kRouteOtherUdp) kind = kSocketRefusedUdp;
  if (!remember(ctx->sk, to, kind)) return refuse(config, to, kRefusedFlowTable, kOutOfMemory);
  return kProceed;
}

static __always_inline int entry_refused(const struct SessionConfig* config,
                                         struct bpf_sock_addr* ctx, struct Refusal* to) {
  to->protocol = (__u16)ctx->protocol;
  to->socket_type = (__u16)ctx->type;
  if (config->netns_cookie == 0 || bpf_get_netns_cookie(ctx) != config->netns_cookie) {
    refuse(config, to, kRefusedNamespace, kNotPermitted);
    return 1;
  }
  if (ctx->protocol != kProtocolTcp && ctx->protocol != kProtocolUdp) {
    refuse(config, to, kRefusedProtocol, kNotPermitted);
    return 1;
  }
  return 0;
}

static __always_inline __u16 listener_port(enum Route route, __u16 tcp, __u16 dns_tcp,
                                           __u16 dns_udp) {
  if (route == kRouteDnsUdp) return dns_udp;
  return route == kRouteDnsTcp ? dns_tcp : tcp;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr* ctx) {
  const struct SessionConfig* config = session();
  const __u32 address = ctx->user_ip4;
  struct Refusal to = {.port = bpf_ntohs((__u16)ctx->user_port)};
  map_v4(to.destination, address);
  if (entry_refused(config, ctx, &to)) return kRefuse;

  enum Route route = route4(config, address, to.port, ctx->protocol);
  if (route == kRouteLocal) {
    forget(ctx->sk);
    return kProceed;
  }
  if (judge_connect(config, ctx, route, &to) == kRefuse) return kRefuse;
  if (route == kRouteOtherUdp) return kProceed;
  const struct Listener4* listener = &config->listeners4[pick_listener(config->listener_count4)];
  ctx->user_ip4 = listener->address;
  ctx->user_port = bpf_htons(
      listener_port(route, listener->tcp_port, listener->dns_tcp_port, listener->dns_udp_port));
  return kProceed;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr* ctx) {
  const struct SessionConfig* config = session();
  const __u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
  const __u8 mapped = is_mapped(address);
  struct Refusal to = {.port = bpf_ntohs((__u16)ctx->user_port)};
  copy_v6(to.destination, address);
  if (entry_refused(config, ctx, &to)) return kRefuse;

  enum Route route = mapped ? route4(config, address[3], to.port, ctx->protocol)
                            : route6(config, address, to.port, ctx->protocol);
  if (route == kRouteLocal) {
    forget(ctx->sk);
    return kProceed;
  }
  if (judge_connect(config, ctx, route, &to) == kRefuse) return kRefuse;
  if (route == kRouteOtherUdp) return kProceed;
  if (mapped) {
    const struct Listener4* listener = &config->listeners4[pick_listener(config->listener_count4)];
    ctx->user_ip6[3] = listener->address;
    ctx->user_port = bpf_htons(
        listener_port(route, listener->tcp_port, listener->dns_tcp_port, listener->dns_udp_port));
    return kProceed;
  }
  const struct Listener6* listener = &config->listeners6[pick_listener(config->listener_count6)];
  ctx->user_ip6[0] = listener->address[0];
  ctx->user_ip6[1] = listener->address[1];
  ctx->user_ip6[2] = listener->address[2];
  ctx->user_ip6[3] = listener->address[3];
  ctx->user_port = bpf_htons(
      listener_port(route, listener->tcp_port, listener->dns_tcp_port, listener->dns_udp_port));
  return kProceed;
}

// --- sendto(), sendmsg(), sendmmsg() with an address ---------------------------------------------

// send() on an IPv6 socket that was connected to a mapped resolver comes by sendmsg4 with the
// address that connect6 wrote. Anybody else who names the listener is refused.
static __always_inline int is_rewritten_query(struct bpf_sock_addr* ctx, __u16 port,
                                              __u16 dns_port) {
  if (port != dns_port) return 0;
  struct SocketState* state = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);
  return state && state->kind == kSocketDns;
}

static __always_inline int judge_send(const struct SessionConfig* config, struct bpf_sock_addr* ctx,
                                      enum Route route, struct Refusal* to) {
  if (route != kRouteDnsUdp) return refuse_route(config, to, route);
  struct SocketState* state = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);
  const struct Caller caller = current_caller();
  // The common case, the next query of the same socket to the same resolver, needs no more.
  if (state && state->kind == kSocketDns && state->thread_id == caller.thread_id &&
      state->original_port == to->port &&
      same6((const __u32*)state->original, (const __u32*)to->destination)) {
    return kProceed;
  }
  if (!remember(ctx->sk, to, kSocketDns)) {
    return refuse(config, to, kRefusedFlowTable, kOutOfMemory);
  }
  return kProceed;
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr* ctx) {
  const struct SessionConfig* config = session();
  const __u32 address = ctx->user_ip4;
  struct Refusal to = {.port = bpf_ntohs((__u16)ctx->user_port)};
  map_v4(to.destination, address);
  if (entry_refused(config, ctx, &to)) return kRefuse;

  enum Route route = route4(config, address, to.port, kProtocolUdp);
  if (route == kRouteLocal) return kProceed;
  // The DNS service answers: to a client whose address is the listener's, or one that it chose.
  if (is_service4(config, ctx->sk->src_ip4, (__u16)ctx->sk->src_port)) return kProceed;
  if (route == kRouteListener && is_dns_port4(config, address, to.port) &&
      is_rewritten_query(ctx, to.port, to.port)) {
    return kProceed;
  }
  if (judge_send(config, ctx, route, &to) == kRefuse) return kRefuse;
  const struct Listener4* listener = &config->listeners4[pick_listener(config->listener_count4)];
  ctx->user_ip4 = listener->address;
  ctx->user_port = bpf_htons(listener->dns_udp_port);
  return kProceed;
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr* ctx) {
  const struct SessionConfig* config = session();
  const __u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
  struct Refusal to = {.port = bpf_ntohs((__u16)ctx->user_port)};
  copy_v6(to.destination, address);
  if (entry_refused(config, ctx, &to)) return kRefuse;

  // A mapped destination goes by sendmsg4; one that came here all the same is judged as IPv4.
  if (is_mapped(address)) {
    if (route4(config, address[3], to.port, kProtocolUdp) == kRouteLocal) return kProceed;
    return refuse(config, &to, kRefusedUdp, kNotPermitted);
  }
  enum Route route = route6(config, address, to.port, kProtocolUdp);
  if (route == kRouteLocal) return kProceed;
  const __u32 own[4] = {ctx->sk->src_ip6[0], ctx->sk->src_ip6[1], ctx->sk->src_ip6[2],
                        ctx->sk->src_ip6[3]};
  if (is_service6(config, own, (__u16)ctx->sk->src_port)) return kProceed;
  if (judge_send(config, ctx, route, &to) == kRefuse) return kRefuse;
  const struct Listener6* listener = &config->listeners6[pick_listener(config->listener_count6)];
  ctx->user_ip6[0] = listener->address[0];
  ctx->user_ip6[1] = listener->address[1];
  ctx->user_ip6[2] = listener->address[2];
  ctx->user_ip6[3] = listener->address[3];
  ctx->user_port = bpf_htons(listener->dns_udp_port);
  return kProceed;
}

// --- What the caller sees: recvmsg and getpeername -----------------------------------------------

static __always_inline void restore4(struct bpf_sock_addr* ctx) {
  const struct SessionConfig* config = session();
  if (!is_listener4(config, ctx->user_ip4)) return;
  struct SocketState* state = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);
  if (!state || state->kind == kSocketLeftAlone) return;
  ctx->user_ip4 = ((__u32*)state->original)[3];
  ctx->user_port = bpf_htons(state->original_port);
}

static __always_inline void restore6(struct bpf_sock_addr* ctx) {
  const struct SessionConfig* config = session();
  const __u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
  if (is_mapped(address) ? !is_listener4(config, address[3]) : !is_listener6(config, address))
    return;
  struct SocketState* state = bpf_sk_storage_get(&sockets, ctx->sk, 0, 0);
  if (!state || state->kind == kSocketLeftAlone) return;
  const __u32* original = (const __u32*)state->original;
  ctx->user_ip6[0] = original[0];
  ctx->user_ip6[1] = original[1];
  ctx->user_ip6[2] = original[2];
  ctx->user_ip6[3] = original[3];
  ctx->user_port = bpf_htons(state->original_port);
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr* ctx) {
  restore4(ctx);
  return kProceed;
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr* ctx) {
  restore6(ctx);
  return kProceed;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr* ctx) {
  restore4(ctx);
  return kProceed;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr* ctx) {
  restore6(ctx);
  return kProceed;
}

char license_text[] SEC("license") = "Dual BSD/GPL";
