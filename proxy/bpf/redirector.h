// The redirect by eBPF: turns every TCP connection and DNS query of a session towards its
// listeners, hands the original destination and the process to the acceptor, and answers static
// denials inside connect().
//
//   auto redirector = Redirector::create(options);         // Once per daemon, tens of ms.
//   auto links = (*redirector)->attach(session_redirect);  // Before the session's first process.
//   auto flow = (*redirector)->take_flow(cookie, peer, listener);  // Per accepted connection.
//   if (!flow) -> refuse the connection: it did not come by the redirect.
//
// What it closes: raw, ICMP, UDP-Lite, SCTP, DCCP and MPTCP sockets of IPv4 and IPv6
// (EPROTONOSUPPORT), datagrams other than DNS (EPERM; connect() of a UDP socket succeeds, because
// it sends nothing and resolvers use it to compare source addresses), direct use of the listeners.
// What it does not see: AF_PACKET, AF_VSOCK, AF_NETLINK, AF_UNIX, AF_XDP and other families, which
// the session's seccomp filter refuses. All flows of a session share one destination: a socket
// bound to a source port that another one uses gets EADDRNOTAVAIL.
//
// Kernel: 6.1 and later, CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN), cgroup v2.
// Lifetime: SessionLinks and DenialTable keep the programs alive; the callback stops with the
// Redirector. Programs stay attached to a cgroup when the daemon is killed, so its processes stay
// refused until the cgroup is removed.
// Threads: Redirector from any thread; a SessionLinks belongs to its owner.
#pragma once

#include "base/ip.h"
#include "base/lock_guarded.h"
#include "base/netns/session_network.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/bpf/flow_abi.h"
#include "proxy/bpf/kernel_refusal.h"
#include "proxy/bpf/static_rules.h"

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agentsh::bpf {

class KernelPrograms;
class RefusalReader;

// Where a connection was going and who made it.
struct FlowRecord {
  Endpoint original;
  pid_t pid = 0;  // In the daemon's PID namespace; 0 when the kernel cannot say it.
  pid_t tid = 0;
  uid_t uid = 0;
  std::string comm;
  std::uint64_t cgroup_id = 0;
};

// A loaded set of static rules; many sessions may share one. Freed in the kernel with the last
// user.
class DenialTable {
 public:
  ~DenialTable();
  DenialTable(const DenialTable&) = delete;
  DenialTable& operator=(const DenialTable&) = delete;

 private:
  friend class Redirector;
  friend class SessionLinks;
  DenialTable(std::shared_ptr<KernelPrograms> programs, std::uint32_t index);
  std::shared_ptr<KernelPrograms> programs_;
  std::uint32_t index_;
};

struct SessionRedirect {
  int cgroup_fd = -1;              // The session's cgroup v2 directory; duplicated.
  std::uint64_t netns_cookie = 0;  // netns_cookie() of any socket of the session's namespace.
  std::vector<netns::ListenerEndpoint> listeners;  // Up to 4 per family.
  std::vector<IpAddress> own_addresses;   // Up to 4 per family; left alone, as loopback is.
  std::vector<std::uint16_t> host_ports;  // Up to 16 loopback TCP ports that are redirected too.
  std::shared_ptr<const DenialTable> denials;  // May be null.
};

// The programs on one session's cgroup. Detached by the destructor: from then on the cgroup's
// sockets meet the namespace alone, which has no route out.
class SessionLinks {
 public:
  SessionLinks(SessionLinks&& other) noexcept = default;
  SessionLinks& operator=(SessionLinks&& other) noexcept;
  ~SessionLinks();

  // Swaps the static rules as a whole: every connect() sees the old ones or the new ones.
  Result<> set_denials(std::shared_ptr<const DenialTable> denials);
  Result<> set_host_ports(std::span<const std::uint16_t> ports);

 private:
  friend class Redirector;
  SessionLinks() = default;
  Result<> write(const abi::SessionConfig& config) const;
  void detach() noexcept;

  std::shared_ptr<KernelPrograms> programs_;  // Null in what was moved from.
  UniqueFd cgroup_;
  std::uint64_t cgroup_id_ = 0;
  std::size_t attached_ = 0;  // How many of the hooks are on the cgroup.
  abi::SessionConfig config_{};
  std::shared_ptr<const DenialTable> denials_;
};

struct RedirectStatistics {
  // SYNs held back for TCP to repeat: no room for a destination, or an older connection with the
  // same addresses and ports was not accepted yet.
  std::uint64_t flow_table_full = 0;
  std::uint64_t flow_key_taken = 0;
  std::uint64_t refusals_uncounted = 0;  // Refusals that found no room and are in no report.
  std::uint64_t flows_waiting = 0;       // Destinations that no acceptor has taken.
};

class Redirector {
 public:
  struct Options {
    // Where the probing makes and removes a throw-away cgroup; empty for the root of the cgroup v2
    // mount.
    std::string cgroup_parent;
    RefusalCallback on_refusal;  // On a thread of the Redirector; must not block. May be empty.
    std::chrono::milliseconds report_interval{1000};  // How long equal refusals are collected.
  };

  // Loads the programs and tries them on a throw-away cgroup. An error means: use nft_ruleset.h.
  static Result<std::unique_ptr<Redirector>> create(Options options);
  ~Redirector();

  // Rules that were loaded shortly before, or that a session still has, are not loaded again: the
  // kernel takes milliseconds to publish a table and to free one.
  Result<std::shared_ptr<const DenialTable>> load_denials(std::span<const StaticRule> rules);

  // Attaches to the session's cgroup. Before the first command: the session's init may be in it
  // already, and may have opened the listeners there.
  Result<SessionLinks> attach(const SessionRedirect& session);

  // The record of a connection that `listener` (its own address and port) just accepted from `peer`
  // in that namespace; it is taken out. Empty for one that did not come by the redirect: refuse it.
  std::optional<FlowRecord> take_flow(std::uint64_t netns_cookie, const Endpoint& peer,
                                      const Endpoint& listener);

  // Who sent the DNS query that came from `peer` to `listener`, and which resolver it was for.
  // Empty when unknown.
  std::optional<FlowRecord> find_query(std::uint64_t netns_cookie, const Endpoint& peer,
                                       const Endpoint& listener) const;

  // Reports every refusal counted so far before it returns (the callback runs on this thread). For
  // tests and for the end of a session.
  void flush_refusals();

  // Removes the records of connections that their client closed `grace` ago and nobody accepted,
  // and those of ended sessions. Runs by itself every 30 s; returns how many it removed.
  std::size_t sweep_flows(std::chrono::nanoseconds grace);

  RedirectStatistics statistics() const;
  bool pids_known() const;

 private:
  explicit Redirector(std::shared_ptr<KernelPrograms> programs);
  Result<> probe(const std::string& cgroup_parent);
  Result<std::shared_ptr<const DenialTable>> publish(const CompiledDenials& compiled);

  struct LoadedTables {
    struct Known {
      std::vector<DenialEntry> entries;
      std::weak_ptr<const DenialTable> table;
    };
    std::vector<Known> known;
    std::deque<std::shared_ptr<const DenialTable>> recent;  // Kept without a user.
  };

  std::shared_ptr<KernelPrograms> programs_;
  LockGuarded<LoadedTables> tables_;
  std::unique_ptr<RefusalReader> reader_;
};

// The identity of a socket's network namespace (SO_NETNS_COOKIE): unique until the machine
// restarts.
Result<std::uint64_t> netns_cookie(int socket_fd);

// The mount point of the cgroup v2 hierarchy.
Result<std::string> find_cgroup2();

}  // namespace agentsh::bpf
