// The maps of redirect.bpf.c and what every hook asks of them.
#pragma once

// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "proxy/bpf/flow_abi.h"
// clang-format on

enum { kInet = 2, kInet6 = 10 };                  // AF_INET, AF_INET6
enum { kStream = 1, kDatagram = 2 };              // SOCK_STREAM, SOCK_DGRAM
enum { kProtocolTcp = 6, kProtocolUdp = 17 };     // IPPROTO_TCP, IPPROTO_UDP
enum { kEtherIp4 = 0x0800, kEtherIp6 = 0x86dd };  // ETH_P_IP, ETH_P_IPV6
enum { kTcpSynSent = 2, kTcpClose = 7 };          // States of struct bpf_sock.
enum {                                            // errno
  kNotPermitted = 1,
  kOutOfMemory = 12,
  kProtocolNotSupported = 93,
  kNetworkUnreachable = 101,
  kConnectionRefused = 111,
};
enum { kDnsPort = 53 };
enum { kRefuse = 0, kProceed = 1 };  // What a hook returns.

// The session that a cgroup belongs to: one value per cgroup that the programs are attached to,
// found without a look-up. User space writes it whole, so a hook sees the old value or the new one.
struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
  __type(key, __u64);
  __type(value, struct SessionConfig);
} sessions SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct SocketState);
} sockets SEC(".maps");

// Not LRU: an entry that was evicted would be a connection without a destination, and one that an
// attacker can evict at will. A full table refuses.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 262144);
  __type(key, struct FlowKey);
  __type(value, struct FlowValue);
} flows SEC(".maps");

// Who sent a DNS query. LRU: a lost entry costs the event its pid, nothing else.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct FlowKey);
  __type(value, struct FlowValue);
} queries SEC(".maps");

struct denial_table {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(struct DenialKey));
  __uint(value_size, sizeof(struct DenialValue));
};

// One table per compiled policy. A session names its table in its configuration, so a reload is one
// swap of that.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, kMaxDenialTables);
  __type(key, __u32);
  __array(values, struct denial_table);
} denial_tables SEC(".maps");

// Refusals are counted in the table of the current epoch; user space flips the epoch and reads the
// other table when no program can still be writing to it.
struct refusal_table {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 8192);
  __type(key, struct RefusalKey);
  __type(value, struct RefusalCount);
};
struct refusal_table refusals_even SEC(".maps");
struct refusal_table refusals_odd SEC(".maps");

// The first of equal refusals, at once.
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} refusal_ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, kCounterCount);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

volatile __u32 refusal_epoch = 0;

// Types that only code uses: named here, they are in the object's type information, where the test
// that compares layouts looks for them.
const struct DenialKey* denial_key_type __attribute__((unused));
const struct DenialValue* denial_value_type __attribute__((unused));
const struct RefusalRecord* refusal_record_type __attribute__((unused));

// The PID namespace in which process ids are said; 0 means the initial one. `pids_known` is 0 where
// the kernel cannot translate into ours.
const volatile __u64 pid_namespace_device = 0;
const volatile __u64 pid_namespace_inode = 0;
const volatile __u32 pids_known = 1;

static __always_inline const struct SessionConfig* session(void) {
  return bpf_get_local_storage(&sessions, 0);
}

static __always_inline void count(__u32 counter) {
  __u64* value = bpf_map_lookup_elem(&counters, &counter);
  if (value) *value += 1;
}

struct Caller {
  __u32 process_id;
  __u32 thread_id;
};

static __always_inline struct Caller current_caller(void) {
  struct Caller caller = {};
  if (!pids_known) return caller;
  if (pid_namespace_inode) {
    struct bpf_pidns_info ids = {};
    if (bpf_get_ns_current_pid_tgid(pid_namespace_device, pid_namespace_inode, &ids, sizeof ids) ==
        0) {
      caller.process_id = ids.tgid;
      caller.thread_id = ids.pid;
    }
    return caller;
  }
  __u64 ids = bpf_get_current_pid_tgid();
  caller.process_id = ids >> 32;
  caller.thread_id = (__u32)ids;
  return caller;
}

static __always_inline void map_v4(__u8 out[16], __u32 network_order) {
  __u32* words = (__u32*)out;
  words[0] = 0;
  words[1] = 0;
  words[2] = bpf_htonl(0x0000ffff);
  words[3] = network_order;
}

static __always_inline void copy_v6(__u8 out[16], const __u32 words[4]) {
  __u32* to = (__u32*)out;
  to[0] = words[0];
  to[1] = words[1];
  to[2] = words[2];
  to[3] = words[3];
}

static __always_inline int is_mapped(const __u32 words[4]) {
  return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0x0000ffff);
}
