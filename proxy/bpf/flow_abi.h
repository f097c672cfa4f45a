// What the kernel programs (redirect.bpf.c) and user space (redirector.cc) say to each other:
// values of the BPF maps and records of the ring buffer. C and C++ compile the same text; the
// layouts are asserted here and compared with the object's BTF by tests/unit/bpf.
//
// Addresses are 16 bytes in network order, IPv4 in its mapped form (::ffff:a.b.c.d), as in
// IpAddress::bytes(). Ports are in host order. Times are CLOCK_MONOTONIC nanoseconds.
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
#include <cstddef>
#define AGENTSH_ABI_ASSERT(condition) static_assert(condition, #condition)
namespace agentsh::bpf::abi {
#else
#define AGENTSH_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif

enum {
  kMaxListeners = 4,
  kMaxOwnAddresses = 4,
  kMaxHostPorts = 16,
  kMaxPortRanges = 8,
  kCommLength = 16,
  kMaxDenialTables = 4096,
  kNoDenialTable = 0xffffffff,
};

// Where one address family of a session is redirected to. Addresses in network order.
struct Listener4 {
  __u32 address;
  __u16 tcp_port;
  __u16 dns_tcp_port;
  __u16 dns_udp_port;
  __u16 reserved;
};
struct Listener6 {
  __u32 address[4];
  __u16 tcp_port;
  __u16 dns_tcp_port;
  __u16 dns_udp_port;
  __u16 reserved;
};

// A session, held in the local storage of its cgroup. All zero, which is what the kernel makes it
// when the programs are attached, means that nothing is let through. Unused entries of the arrays
// repeat the first one.
struct SessionConfig {
  __u64 netns_cookie;  // Sockets of any other network namespace are refused. Never 0 in a session.
  __u32 denial_table;  // Index into `denial_tables`, or kNoDenialTable.
  __u32 listener_count4;  // 0: the family is refused.
  __u32 listener_count6;
  __u32 host_port_count;
  __u16 host_ports[kMaxHostPorts];  // Loopback TCP ports that lead to the host's.
  struct Listener4 listeners4[kMaxListeners];
  __u32 own4[kMaxOwnAddresses];  // Local addresses of the session besides loopback.
  struct Listener6 listeners6[kMaxListeners];
  __u32 own6[kMaxOwnAddresses][4];
};

// Longest-prefix key of a denial table. 96 + n bits for an IPv4 /n.
struct DenialKey {
  __u32 prefix_length;
  __u8 address[16];
};

enum DenialAnswer { kAnswerPass = 0, kAnswerNotPermitted = 1, kAnswerRefused = 2 };

// Ports that a prefix answers by itself: disjoint ranges, the rest goes to the proxy.
struct PortRange {
  __u16 first;
  __u16 last;
  __u32 answer;  // DenialAnswer.
  __u64 tag;     // The caller's name for the rule.
};
struct DenialValue {
  __u32 count;
  __u32 reserved;
  struct PortRange ranges[kMaxPortRanges];
};

// A redirected connection (or the sender of a query) as the acceptor sees it: the peer's address
// and port, and its own.
struct FlowKey {
  __u64 netns_cookie;
  __u8 source[16];
  __u8 listener[16];
  __u16 source_port;
  __u16 listener_port;
  __u32 reserved;
};

// Where it was going, and who made it. The thread and process ids are those of the appliance's PID
// namespace, or 0 where the kernel cannot say them.
struct FlowValue {
  __u8 original[16];
  __u16 original_port;
  __u16 reserved;
  __u32 process_id;
  __u32 thread_id;
  __u32 user_id;
  __u64 cgroup_id;      // Of the calling task.
  __u64 socket_cookie;  // Tells a repeated SYN from another connection.
  __u64 connected_at;
  __u64 closed_at;  // When the client closed it before it was accepted; 0 while it is open.
  char comm[kCommLength];
};

enum SocketKind { kSocketLeftAlone = 0, kSocketTcp = 1, kSocketDns = 2, kSocketRefusedUdp = 3 };

// What a socket was asked for, in its socket storage.
struct SocketState {
  __u8 original[16];
  __u16 original_port;
  __u8 kind;         // SocketKind.
  __u8 handed_over;  // `flow` is in the table, or was.
  __u32 process_id;
  __u32 thread_id;
  __u32 user_id;
  __u64 cgroup_id;
  char comm[kCommLength];
  struct FlowKey flow;  // Of the last SYN.
};

enum RefusalReason {
  kRefusedByRule = 1,      // A static rule of the policy; `tag` names it.
  kRefusedUdp = 2,         // A datagram to anything but a resolver.
  kRefusedListener = 3,    // A direct connection to the proxy's own addresses.
  kRefusedSocketType = 4,  // socket(2) of a type or protocol that is not redirected.
  kRefusedNamespace = 5,   // A socket of another network namespace, or before the set-up.
  kRefusedFamily = 6,      // IPv6 (or IPv4) where the session has no listener for it.
  kRefusedEgress = 7,      // A packet that came past every other hook.
  kRefusedFlowTable = 8,   // No room for the original destination (the flow table or memory).
  kRefusedProtocol = 9,    // A connect or send of a socket that is neither TCP nor UDP.
};

// Equal refusals are counted together.
struct RefusalKey {
  __u64 netns_cookie;
  __u64 tag;
  __u8 destination[16];
  __u32 process_id;
  __u16 port;
  __u16 protocol;
  __u16 socket_type;
  __u8 reason;  // RefusalReason.
  __u8 reserved;
  __s32 error;  // errno that the caller got.
};
struct RefusalCount {
  __u64 count;
  __u64 reported;  // Of those, already in the ring buffer.
  __u64 first_at;
  __u64 last_at;
  __u32 thread_id;
  __u32 user_id;
  char comm[kCommLength];
};
struct RefusalRecord {
  struct RefusalKey key;
  struct RefusalCount value;
};

enum Counter {
  kFlowTableFull = 0,      // Original destinations that found no room.
  kFlowKeyTaken = 1,       // The same, because an older connection was not accepted yet.
  kRefusalsUncounted = 2,  // Refusals that found neither table nor ring space.
  kCounterCount = 3,
};

AGENTSH_ABI_ASSERT(sizeof(struct Listener4) == 12);
AGENTSH_ABI_ASSERT(sizeof(struct Listener6) == 24);
AGENTSH_ABI_ASSERT(sizeof(struct SessionConfig) == 24 + 32 + 48 + 16 + 96 + 64);
AGENTSH_ABI_ASSERT(sizeof(struct DenialKey) == 20);
AGENTSH_ABI_ASSERT(sizeof(struct PortRange) == 16);
AGENTSH_ABI_ASSERT(sizeof(struct DenialValue) == 8 + 16 * kMaxPortRanges);
AGENTSH_ABI_ASSERT(sizeof(struct FlowKey) == 48);
AGENTSH_ABI_ASSERT(sizeof(struct FlowValue) == 80);
AGENTSH_ABI_ASSERT(sizeof(struct SocketState) == 104);
AGENTSH_ABI_ASSERT(sizeof(struct RefusalKey) == 48);
AGENTSH_ABI_ASSERT(sizeof(struct RefusalCount) == 56);
AGENTSH_ABI_ASSERT(sizeof(struct RefusalRecord) == 104);

#ifdef __cplusplus
}  // namespace agentsh::bpf::abi
#endif
#undef AGENTSH_ABI_ASSERT
