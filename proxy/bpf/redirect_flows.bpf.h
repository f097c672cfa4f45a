// The hand-over to the acceptor: as the SYN leaves, where it was going is written under the
// addresses and ports that the acceptor will see. The SYN rather than a sockops callback: egress
// runs for it anyway, while sockops programs are called seven to fourteen times a connection.
#pragma once

#include "proxy/bpf/redirect_maps.bpf.h"
#include "proxy/bpf/redirect_packet.bpf.h"
#include "proxy/bpf/redirect_report.bpf.h"

static __always_inline void flow_key(struct FlowKey* key, const struct SessionConfig* config,
                                     const struct Packet* packet) {
  key->netns_cookie = config->netns_cookie;
  copy_v6(key->source, packet->source);
  copy_v6(key->listener, packet->destination);
  key->source_port = bpf_ntohs(packet->source_port);
  key->listener_port = bpf_ntohs(packet->destination_port);
}

static __always_inline void fill_flow(struct FlowValue* value, const struct SocketState* state) {
  copy_v6(value->original, (const __u32*)state->original);
  value->original_port = state->original_port;
  value->process_id = state->process_id;
  value->thread_id = state->thread_id;
  value->user_id = state->user_id;
  value->cgroup_id = state->cgroup_id;
  value->connected_at = bpf_ktime_get_ns();
  __builtin_memcpy(value->comm, state->comm, sizeof value->comm);
}

static __noinline int hold_back(const struct SessionConfig* config, const struct SocketState* state,
                                __u32 counter) {
  struct Refusal refusal = {
      .port = state->original_port,
      .protocol = kProtocolTcp,
      .socket_type = kStream,
      .reason = kRefusedFlowTable,
  };
  copy_v6(refusal.destination, (const __u32*)state->original);
  count(counter);
  report_socket(config, &refusal, state);
  return kRefuse;
}

// A SYN that finds no room does not leave: TCP sends it again, and connect() waits. The record of
// an older connection with the same addresses and ports is kept while its acceptor may still come
// for it, so no connection is taken for another.
static __noinline int hand_over(struct __sk_buff* skb, const struct SessionConfig* config,
                                const struct Packet* packet, struct SocketState* state) {
  const __u64 longest_backlog = 60ULL * 1000 * 1000 * 1000;
  struct FlowValue value = {};
  fill_flow(&value, state);
  value.socket_cookie = bpf_get_socket_cookie(skb);
  flow_key(&state->flow, config, packet);
  if (bpf_map_update_elem(&flows, &state->flow, &value, BPF_NOEXIST) == 0) {
    state->handed_over = 1;
    return kProceed;
  }
  const struct FlowValue* older = bpf_map_lookup_elem(&flows, &state->flow);
  if (older && older->socket_cookie == value.socket_cookie) return kProceed;
  state->handed_over = 0;
  if (!older) return hold_back(config, state, kFlowTableFull);
  if (!older->closed_at || value.connected_at - older->closed_at < longest_backlog) {
    return hold_back(config, state, kFlowKeyTaken);
  }
  if (bpf_map_update_elem(&flows, &state->flow, &value, BPF_ANY)) {
    return hold_back(config, state, kFlowTableFull);
  }
  state->handed_over = 1;
  return kProceed;
}

// The client is done with a connection that may still wait in the listener's queue, with data in
// it: its record is marked, and swept when nobody came for it.
static __always_inline void close_flow(struct SocketState* state) {
  struct FlowValue* value = bpf_map_lookup_elem(&flows, &state->flow);
  if (value && !value->closed_at) value->closed_at = bpf_ktime_get_ns();
  state->handed_over = 0;
}

// A connection that was never established, or was reset, leaves nothing behind.
SEC("cgroup/sock_release")
int sock_release(struct bpf_sock* ctx) {
  struct SocketState* state = bpf_sk_storage_get(&sockets, ctx, 0, 0);
  if (!state || !state->handed_over) return kProceed;
  if (ctx->state == kTcpSynSent || ctx->state == kTcpClose) {
    bpf_map_delete_elem(&flows, &state->flow);
  } else {
    close_flow(state);
  }
  return kProceed;
}
