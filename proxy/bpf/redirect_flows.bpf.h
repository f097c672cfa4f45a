// The hand-over of a connection to the acceptor: sockops writes where it was going under the source
// address and port that the acceptor will see.
#pragma once

#include "proxy/bpf/redirect_maps.bpf.h"
#include "proxy/bpf/redirect_report.bpf.h"

// -----------------------------------------------------------------

static __always_inline void flow_key(struct FlowKey* key, const struct SessionConfig* config,
                                     struct bpf_sock_ops* ctx, __u8 wire_v4) {
  key->netns_cookie = config->netns_cookie;
  key->source_port = ctx->local_port;
  // Read apart and kept apart: merged, they become an access by a computed offset, which the
  // verifier refuses.
  __u32 v4 = ctx->local_ip4;
  barrier_var(v4);
  const __u32 v6[4] = {ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2], ctx->local_ip6[3]};
  if (wire_v4) {
    map_v4(key->source, v4);
  } else {
    copy_v6(key->source, v6);
  }
}

static __noinline int report_lost_flow(const struct SessionConfig* config,
                                       const struct SocketState* state, __u32 counter) {
  struct Refusal refusal = {
      .port = state->original_port,
      .protocol = kProtocolTcp,
      .reason = kRefusedFlowTable,
      .socket_type = kStream,
  };
  copy_v6(refusal.destination, (const __u32*)state->original);
  count(counter);
  return report_socket(config, &refusal, state);
}

// The source port is known and the SYN not yet sent, also with Fast Open. A record that an older
// connection of the same port left behind is kept while its acceptor may still come for it: then
// this connection has none and is refused, rather than one taken for the other.
static __always_inline void hand_over(struct bpf_sock_ops* ctx, const struct SessionConfig* config,
                                      const struct SocketState* state) {
  const __u64 longest_backlog = 60ULL * 1000 * 1000 * 1000;
  struct FlowKey key = {};
  struct FlowValue value = {};
  flow_key(&key, config, ctx, state->wire_v4);
  fill_flow(&value, state);
  bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
  if (bpf_map_update_elem(&flows, &key, &value, BPF_NOEXIST) == 0) return;
  const struct FlowValue* older = bpf_map_lookup_elem(&flows, &key);
  if (!older) {
    report_lost_flow(config, state, kFlowTableFull);
  } else if (older->closed_at && value.connected_at - older->closed_at > longest_backlog) {
    bpf_map_update_elem(&flows, &key, &value, BPF_ANY);
  } else {
    report_lost_flow(config, state, kFlowKeyTaken);
  }
}

// A connection that was never established leaves nothing behind. One that was may still wait in the
// listener's queue, with data in it: its record is marked, and swept when nobody came for it.
static __always_inline void close_flow(struct bpf_sock_ops* ctx, const struct SessionConfig* config,
                                       const struct SocketState* state, __u32 old_state) {
  struct FlowKey key = {};
  flow_key(&key, config, ctx, state->wire_v4);
  if (old_state == kTcpSynSent) {
    bpf_map_delete_elem(&flows, &key);
    return;
  }
  struct FlowValue* value = bpf_map_lookup_elem(&flows, &key);
  if (value && !value->closed_at) value->closed_at = bpf_ktime_get_ns();
}

SEC("sockops")
int on_tcp_event(struct bpf_sock_ops* ctx) {
  const __u32 op = ctx->op;
  const __u32 old_state = ctx->args[0];
  const __u32 new_state = ctx->args[1];
  ctx->reply =
      (__u32)-1;  // No opinion on windows, timeouts and ECN. It shares memory with the arguments.
  if (op != BPF_SOCK_OPS_TCP_CONNECT_CB && op != BPF_SOCK_OPS_STATE_CB) return 1;
  if (op == BPF_SOCK_OPS_STATE_CB && new_state != kTcpClose) return 1;
  struct bpf_sock* sk = ctx->sk;
  if (!sk) return 1;
  struct SocketState* state = bpf_sk_storage_get(&sockets, sk, 0, 0);
  if (!state || state->kind != kSocketTcp) return 1;
  if (op == BPF_SOCK_OPS_TCP_CONNECT_CB) {
    hand_over(ctx, session(), state);
  } else {
    close_flow(ctx, session(), state, old_state);
  }
  return 1;
}
