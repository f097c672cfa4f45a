// Refusals that are answered in the kernel become audit events: counted exactly, equal ones
// together, and the first of them sent to user space at once.
#pragma once

#include "proxy/bpf/redirect_maps.bpf.h"

// What a hook refuses. `destination` in the mapped form.
struct Refusal {
  __u8 destination[16];
  __u64 tag;
  __u16 port;
  __u16 protocol;
  __u16 socket_type;
  __u8 reason;
  __s32 error;
};

static __always_inline void send_first(const struct RefusalKey* key, struct RefusalCount* value) {
  struct RefusalRecord* record = bpf_ringbuf_reserve(&refusal_ring, sizeof *record, 0);
  if (!record) return;
  value->reported = 1;
  record->key = *key;
  record->value = *value;
  bpf_ringbuf_submit(record, 0);
}

static __always_inline struct RefusalCount* find_refusal(__u32 epoch,
                                                         const struct RefusalKey* key) {
  return epoch ? bpf_map_lookup_elem(&refusals_odd, key) : bpf_map_lookup_elem(&refusals_even, key);
}

static __always_inline long add_refusal(__u32 epoch, const struct RefusalKey* key,
                                        const struct RefusalCount* value) {
  return epoch ? bpf_map_update_elem(&refusals_odd, key, value, BPF_NOEXIST)
               : bpf_map_update_elem(&refusals_even, key, value, BPF_NOEXIST);
}

static __always_inline void count_again(struct RefusalCount* value) {
  __sync_fetch_and_add(&value->count, 1);
  value->last_at = bpf_ktime_get_ns();
}

// Counts a refusal under `key`; `who` is its value with count 1.
static __noinline int count_refusal(const struct RefusalKey* key, struct RefusalCount* who) {
  __u32 epoch = refusal_epoch & 1;
  struct RefusalCount* known = find_refusal(epoch, key);
  if (known) {
    count_again(known);
    return 0;
  }
  who->count = 1;
  who->first_at = bpf_ktime_get_ns();
  who->last_at = who->first_at;
  send_first(key, who);
  if (add_refusal(epoch, key, who) == 0) return 0;
  // Another CPU was first, or the table is full and the ring has the only trace.
  known = find_refusal(epoch, key);
  if (known) {
    count_again(known);
    if (who->reported) __sync_fetch_and_add(&known->reported, 1);
  } else if (!who->reported) {
    count(kRefusalsUncounted);
  }
  return 0;
}

static __always_inline void fill_key(struct RefusalKey* key, const struct SessionConfig* config,
                                     const struct Refusal* refusal) {
  key->netns_cookie = config->netns_cookie;
  key->tag = refusal->tag;
  copy_v6(key->destination, (const __u32*)refusal->destination);
  key->port = refusal->port;
  key->protocol = refusal->protocol;
  key->reason = refusal->reason;
  key->socket_type = refusal->socket_type;
  key->error = refusal->error;
}

// Reports a refusal of the current task. Only in hooks that run in the caller's context.
static __noinline int report_current(const struct SessionConfig* config,
                                     const struct Refusal* refusal) {
  struct RefusalKey key = {};
  struct RefusalCount who = {};
  struct Caller caller = current_caller();
  fill_key(&key, config, refusal);
  key.process_id = caller.process_id;
  who.thread_id = caller.thread_id;
  who.user_id = (__u32)bpf_get_current_uid_gid();
  bpf_get_current_comm(who.comm, sizeof who.comm);
  return count_refusal(&key, &who);
}

// Reports a refusal on the packet path, where the process is the one that set the socket up.
static __noinline int report_socket(const struct SessionConfig* config,
                                    const struct Refusal* refusal,
                                    const struct SocketState* state) {
  struct RefusalKey key = {};
  struct RefusalCount who = {};
  fill_key(&key, config, refusal);
  if (state) {
    key.process_id = state->process_id;
    who.thread_id = state->thread_id;
    who.user_id = state->user_id;
    __builtin_memcpy(who.comm, state->comm, sizeof who.comm);
  }
  return count_refusal(&key, &who);
}
