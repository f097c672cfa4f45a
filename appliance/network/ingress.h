// How one session's traffic arrives: its listeners, and for each connection where it was going and
// who made it.
//
// Three mechanisms, one interface: eBPF programs on the session's cgroup (proxy/bpf/redirector.h),
// nftables in its network namespace (proxy/bpf/nft_ruleset.h), or, for sessions without namespaces,
// connect(2) done by the daemon (connect_supervisor.h). Which one is used is the daemon's choice,
// made once by trying (Redirect::create).
//
// Threads: origin_of() and actor_of() from any; the rest from the thread that makes sessions.
#pragma once

#include "appliance/network/command_attribution.h"
#include "base/ip.h"
#include "base/netns/session_network.h"
#include "base/result.h"
#include "policies/facts.h"
#include "proxy/bpf/nft_refusal_log.h"
#include "proxy/bpf/redirector.h"
#include "proxy/bpf/socket_owner.h"
#include "sandbox/process/launcher.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agentsh {

enum class Mechanism { kEbpf, kNftables, kSupervisor };
std::string_view to_string(Mechanism mechanism);

// The daemon's redirect. Shared by all sessions.
class Redirect {
 public:
  enum class Choice { kAuto, kEbpf, kNftables };
  // kAuto takes eBPF where it loads and attaches, else nftables; `why_not_ebpf()` then says what
  // was refused.
  static Result<std::unique_ptr<Redirect>> create(Choice choice, const std::string& cgroup_base,
                                                  bpf::RefusalCallback on_refusal);

  // For sessions without namespaces.
  static std::unique_ptr<Redirect> by_supervisor();

  Mechanism mechanism() const { return mechanism_; }
  const std::string& why_not_ebpf() const { return why_not_ebpf_; }
  bpf::Redirector* redirector() const { return redirector_.get(); }

 private:
  Mechanism mechanism_ = Mechanism::kNftables;
  std::unique_ptr<bpf::Redirector> redirector_;
  std::string why_not_ebpf_;
};

struct FlowOrigin {
  Endpoint destination;
  policy::Actor actor;
};

class Ingress {
 public:
  struct Options {
    int cgroup_fd = -1;                     // eBPF only.
    std::vector<std::uint16_t> host_ports;  // Localhost ports of the host that are redirected too.
    std::vector<bpf::StaticRule> static_rules;  // eBPF only; elsewhere the proxy decides them.
  };

  // Takes the sockets that the session's init opened, attaches the redirect or prepares what init
  // shall apply.
  static Result<std::pair<std::shared_ptr<Ingress>, sandbox::Proceed>> open(
      Redirect& redirect, sandbox::SessionSockets sockets, pid_t init, Options options);

  // Where an accepted connection was going. An error means: it did not come by the redirect, refuse
  // it.
  Result<FlowOrigin> origin_of(int socket, const Endpoint& peer);

  // By the supervisor: where connections of a family come in, and what is expected to come in from
  // a port of loopback. A later expectation replaces an earlier one.
  std::optional<Endpoint> listener(bool v4) const;
  void expect(const Endpoint& from, FlowOrigin origin);
  void no_longer_expect(const Endpoint& from);

  // Who sent the DNS query that came from `client`; members that are not known stay empty.
  policy::Actor actor_of(policy::Transport transport, const Endpoint& client);

  // The sockets, to be served by whoever asks first.
  std::vector<UniqueFd> take_tcp_listeners();
  std::vector<UniqueFd> take_dns_tcp_listeners();
  std::vector<UniqueFd> take_dns_udp_sockets();

  // What the firewall refused by itself; the redirector tells that of its programs.
  std::optional<bpf::NftRefusalLog> take_refusal_log();

  Mechanism mechanism() const { return redirect_.mechanism(); }
  std::uint64_t netns_cookie() const { return netns_cookie_; }
  CommandAttribution& commands() { return commands_; }
  // Swaps the rules that the kernel answers by itself.
  Result<> set_static_rules(std::span<const bpf::StaticRule> rules);

 private:
  explicit Ingress(Redirect& redirect) : redirect_(redirect) {}
  Result<> attach(const Options& options);
  Result<> listen();
  Result<FlowOrigin> take_expected(const Endpoint& peer);
  Result<std::string> build_firewall(const Options& options) const;
  Endpoint dns_listener(policy::Transport transport, const Endpoint& client) const;
  policy::Actor actor_from(pid_t pid, std::string comm) const;

  Redirect& redirect_;
  std::uint64_t netns_cookie_ = 0;
  std::vector<netns::ListenerSockets> listeners_;
  std::vector<netns::ListenerEndpoint> endpoints_;
  std::optional<bpf::SessionLinks> links_;
  UniqueFd refusal_log_;
  std::mutex owners_mutex_;
  std::optional<bpf::SocketOwnerFinder> owners_;
  mutable std::mutex expected_mutex_;
  std::map<Endpoint, FlowOrigin> expected_;
  CommandAttribution commands_;
};

}  // namespace agentsh
