#include "appliance/network/ingress.h"

#include "base/bytes.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/netns/nft_apply.h"
#include "proxy/bpf/nft_ruleset.h"
#include "proxy/bpf/original_destination.h"
#include "proxy/net/listener.h"

#include <fmt/format.h>

#include <sstream>

namespace agentsh {
namespace {

constexpr std::size_t kMaxProcesses = 4096;
constexpr int kSupervisedBacklog = 4096;

// The processes beneath `root`, itself included: everything in a session descends from its init.
std::vector<pid_t> process_tree(pid_t root) {
  std::vector<pid_t> found = {root};
  for (std::size_t i = 0; i < found.size() && found.size() < kMaxProcesses; ++i) {
    const std::string pid = std::to_string(found[i]);
    auto children = read_file("/proc/" + pid + "/task/" + pid + "/children", 1 << 16);
    if (!children) continue;
    std::istringstream list(*children);
    for (pid_t child; list >> child;) found.push_back(child);
  }
  return found;
}

std::vector<IpAddress> own_addresses() {
  return {netns::own_address4(), netns::own_address6()};
}

}  // namespace

std::string_view to_string(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::kEbpf:
      return "ebpf";
    case Mechanism::kNftables:
      return "nftables";
    case Mechanism::kSupervisor:
      return "seccomp";
  }
  return "seccomp";
}

std::unique_ptr<Redirect> Redirect::by_supervisor() {
  auto redirect = std::make_unique<Redirect>();
  redirect->mechanism_ = Mechanism::kSupervisor;
  return redirect;
}

Result<std::unique_ptr<Redirect>> Redirect::create(Choice choice, const std::string& cgroup_base,
                                                   bpf::RefusalCallback on_refusal) {
  auto redirect = std::make_unique<Redirect>();
  if (choice == Choice::kNftables) {
    redirect->why_not_ebpf_ = "nftables was asked for";
    return redirect;
  }
  auto redirector = cgroup_base.empty()
                        ? Result<std::unique_ptr<bpf::Redirector>>(
                              fail("no cgroup to attach to", std::errc::not_supported))
                        : bpf::Redirector::create({cgroup_base, std::move(on_refusal)});
  if (redirector) {
    redirect->mechanism_ = Mechanism::kEbpf;
    redirect->redirector_ = std::move(*redirector);
    return redirect;
  }
  if (choice == Choice::kEbpf) {
    return std::unexpected(
        with_context(redirector.error(), "eBPF is required by the configuration"));
  }
  redirect->why_not_ebpf_ = redirector.error().what;
  return redirect;
}

Result<std::pair<std::shared_ptr<Ingress>, sandbox::Proceed>> Ingress::open(
    Redirect& redirect, sandbox::SessionSockets sockets, pid_t init, Options options) {
  std::shared_ptr<Ingress> ingress(new Ingress(redirect));
  if (redirect.mechanism() == Mechanism::kSupervisor) {
    if (auto listening = ingress->listen(); !listening) return std::unexpected(listening.error());
    return std::pair(std::move(ingress), sandbox::Proceed{});
  }
  auto listeners = netns::adopt_listeners(std::move(sockets.listeners));
  if (!listeners) return std::unexpected(listeners.error());
  ingress->listeners_ = std::move(*listeners);
  ingress->endpoints_ = netns::listener_endpoints(ingress->listeners_);
  auto cookie = bpf::netns_cookie(ingress->listeners_.front().tcp.get());
  if (!cookie) return std::unexpected(cookie.error());
  ingress->netns_cookie_ = *cookie;
  ingress->owners_.emplace(std::move(sockets.socket_diagnostics),
                           [init] { return process_tree(init); });
  sandbox::Proceed proceed;
  if (redirect.mechanism() == Mechanism::kEbpf) {
    if (auto attached = ingress->attach(options); !attached)
      return std::unexpected(attached.error());
  } else {
    ingress->refusal_log_ = std::move(sockets.refusal_log);
    auto batch = ingress->build_firewall(options);
    if (!batch) return std::unexpected(batch.error());
    proceed.nft_batch = std::move(*batch);
  }
  return std::pair(std::move(ingress), std::move(proceed));
}

// In our own network: whoever comes to these uninvited is refused.
Result<> Ingress::listen() {
  for (const char* loopback : {"127.0.0.1", "::1"}) {
    const auto address = IpAddress::parse(loopback);
    auto socket = net::listen_tcp({*address, 0}, kSupervisedBacklog);
    if (!socket && !address->is_v4()) continue;  // A host without IPv6.
    if (!socket) return std::unexpected(socket.error());
    auto endpoint = net::local_endpoint(socket->get());
    if (!endpoint) return std::unexpected(endpoint.error());
    endpoints_.push_back({.address = *address, .tcp_port = endpoint->port});
    listeners_.push_back(
        {.address = *address, .tcp = std::move(*socket), .tcp_port = endpoint->port});
  }
  return {};
}

std::optional<Endpoint> Ingress::listener(bool v4) const {
  for (const netns::ListenerEndpoint& endpoint : endpoints_) {
    if (endpoint.address.is_v4() == v4) return Endpoint{endpoint.address, endpoint.tcp_port};
  }
  return {};
}

void Ingress::expect(const Endpoint& from, FlowOrigin origin) {
  std::lock_guard lock(expected_mutex_);
  expected_.insert_or_assign(from, std::move(origin));
}

void Ingress::no_longer_expect(const Endpoint& from) {
  std::lock_guard lock(expected_mutex_);
  expected_.erase(from);
}

Result<FlowOrigin> Ingress::take_expected(const Endpoint& peer) {
  std::lock_guard lock(expected_mutex_);
  auto node = expected_.extract(peer);
  if (node.empty()) {
    return fail("a connection from outside of the session", std::errc::connection_refused);
  }
  return std::move(node.mapped());
}

Result<> Ingress::attach(const Options& options) {
  bpf::SessionRedirect session;
  session.cgroup_fd = options.cgroup_fd;
  session.netns_cookie = netns_cookie_;
  session.listeners = endpoints_;
  session.own_addresses = own_addresses();
  session.host_ports = options.host_ports;
  auto denials = redirect_.redirector()->load_denials(options.static_rules);
  if (!denials) return std::unexpected(denials.error());
  session.denials = std::move(*denials);
  auto links = redirect_.redirector()->attach(session);
  if (!links) return std::unexpected(links.error());
  links_.emplace(std::move(*links));
  return {};
}

Result<std::string> Ingress::build_firewall(const Options& options) const {
  bpf::NftRedirect rules;
  rules.listeners = endpoints_;
  rules.own_addresses = own_addresses();
  rules.host_ports = options.host_ports;
  if (refusal_log_) rules.log_group = netns::kRefusalLogGroup;
  auto batch = bpf::build_nft_batch(rules);
  if (!batch) return std::unexpected(batch.error());
  return std::string(as_text(*batch));
}

Result<> Ingress::set_static_rules(std::span<const bpf::StaticRule> rules) {
  if (!links_) return {};
  auto denials = redirect_.redirector()->load_denials(rules);
  if (!denials) return std::unexpected(denials.error());
  return links_->set_denials(std::move(*denials));
}

policy::Actor Ingress::actor_from(pid_t pid, std::string comm) const {
  return policy::Actor{commands_.command_of(pid), pid, std::move(comm)};
}

Result<FlowOrigin> Ingress::origin_of(int socket, const Endpoint& peer) {
  if (links_) {
    auto listener = net::local_endpoint(socket);
    if (!listener) return std::unexpected(listener.error());
    auto record = redirect_.redirector()->take_flow(netns_cookie_, peer, *listener);
    if (!record)
      return fail("a connection straight to the proxy's listener", std::errc::connection_refused);
    return FlowOrigin{record->original, actor_from(record->pid, std::move(record->comm))};
  }
  if (redirect_.mechanism() == Mechanism::kSupervisor) return take_expected(peer);
  auto destination = bpf::original_destination(socket);
  if (!destination) return std::unexpected(destination.error());
  FlowOrigin origin{*destination, {}};
  std::lock_guard lock(owners_mutex_);
  if (auto owner = owners_->find(bpf::Transport::kTcp, peer, *destination)) {
    origin.actor = actor_from(owner->pid, std::move(owner->comm));
  }
  return origin;
}

// Where a query of that family and transport arrives: one address per family
// (SessionNetworkOptions).
Endpoint Ingress::dns_listener(policy::Transport transport, const Endpoint& client) const {
  for (const netns::ListenerEndpoint& endpoint : endpoints_) {
    if (endpoint.address.is_v4() != client.address.is_v4()) continue;
    return {endpoint.address,
            transport == policy::Transport::kTcp ? endpoint.dns_tcp_port : endpoint.dns_udp_port};
  }
  return {};
}

policy::Actor Ingress::actor_of(policy::Transport transport, const Endpoint& client) {
  if (links_) {
    auto record =
        redirect_.redirector()->find_query(netns_cookie_, client, dns_listener(transport, client));
    return record ? actor_from(record->pid, std::move(record->comm)) : policy::Actor{};
  }
  if (!owners_) return {};
  std::lock_guard lock(owners_mutex_);
  // Behind nftables the resolver that was asked is lost. UDP sockets are few and found by their own
  // end; over TCP the asker stays unknown.
  if (transport == policy::Transport::kTcp) return {};
  auto owner = owners_->find_udp(client);
  return owner ? actor_from(owner->pid, std::move(owner->comm)) : policy::Actor{};
}

std::optional<bpf::NftRefusalLog> Ingress::take_refusal_log() {
  if (!refusal_log_) return {};
  std::vector<IpAddress> addresses;
  for (const netns::ListenerEndpoint& endpoint : endpoints_) addresses.push_back(endpoint.address);
  return bpf::NftRefusalLog(std::move(refusal_log_), std::move(addresses));
}

std::vector<UniqueFd> Ingress::take_tcp_listeners() {
  std::vector<UniqueFd> taken;
  for (netns::ListenerSockets& listener : listeners_) taken.push_back(std::move(listener.tcp));
  return taken;
}

std::vector<UniqueFd> Ingress::take_dns_tcp_listeners() {
  std::vector<UniqueFd> taken;
  for (netns::ListenerSockets& listener : listeners_)
    if (listener.dns_tcp) taken.push_back(std::move(listener.dns_tcp));
  return taken;
}

std::vector<UniqueFd> Ingress::take_dns_udp_sockets() {
  std::vector<UniqueFd> taken;
  for (netns::ListenerSockets& listener : listeners_)
    if (listener.dns_udp) taken.push_back(std::move(listener.dns_udp));
  return taken;
}

}  // namespace agentsh
