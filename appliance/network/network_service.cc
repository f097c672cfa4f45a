#include "appliance/network/network_service.h"

#include "appliance/guard/session_databases.h"
#include "appliance/guard/upstream_credentials.h"
#include "appliance/network/configured_policy.h"
#include "appliance/network/kernel_rules.h"
#include "base/domain.h"
#include "base/encoding.h"
#include "base/file_io.h"
#include "base/log.h"
#include "certs/trust_locations.h"
#include "certs/trust_store.h"
#include "policies/compiled_policy.h"
#include "proxy/dns/gate_binding.h"
#include "proxy/dns/resolver_config.h"
#include "proxy/dns/service.h"
#include "proxy/flows/direct_connector.h"
#include "proxy/flows/dns_names.h"
#include "proxy/flows/flow.h"
#include "proxy/flows/inspector_chain.h"
#include "proxy/flows/session_tls.h"
#include "proxy/mcp/session_mcp.h"
#include "proxy/net/descriptor_reserve.h"
#include "proxy/net/listener.h"
#include "proxy/net/relay.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/worker.h"
#include "proxy/services/session_services.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace agentsh {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

constexpr auto kShutdownGrace = 2s;
// Equal refusals within this time are one event.
constexpr auto kRefusalInterval = 100ms;
constexpr std::string_view kDatabaseRule = "database-service";
constexpr std::size_t kDnsCacheBytes = std::size_t{16} << 20;
// Where clients that are told to use a proxy find us. Any address would be redirected to the same
// listener; this one says that the client means us.
const Endpoint& proxy_endpoint() {
  static const Endpoint kEndpoint = *Endpoint::parse("198.18.0.54:3128");
  return kEndpoint;
}

const Endpoint& services_endpoint() {
  static const Endpoint kEndpoint{IpAddress::v4(0x7f000001), NetworkService::kServicePort};
  return kEndpoint;
}

template <class Duration>
std::chrono::milliseconds in_milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

Result<UniqueFd> duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return std::unexpected(errno_error("fcntl", "F_DUPFD_CLOEXEC"));
  return copy;
}

// Who asked a DNS question, from the session's redirect.
class IngressActors final : public dns::ActorSource {
 public:
  explicit IngressActors(std::shared_ptr<Ingress> ingress) : ingress_(std::move(ingress)) {}
  policy::Actor actor_of(policy::Transport transport, const Endpoint& client) override {
    return ingress_->actor_of(transport, client);
  }

 private:
  const std::shared_ptr<Ingress> ingress_;
};

// The names of services that are not reached directly are answered all the same: whoever goes there
// is told by the proxy where to go instead, which an answer to a question cannot do. So are those
// of database services: who may connect to them is their own rules' to say.
class ServiceNames final : public dns::GatePolicy {
 public:
  ServiceNames(policy::Gate& gate, const audit::Recorder& recorder,
               std::shared_ptr<const services::SessionServices> services)
      : GatePolicy(gate, recorder),
        gate_(gate),
        recorder_(recorder),
        services_(std::move(services)) {}

  dns::Judgement judge(const policy::DnsFacts& facts) const override {
    dns::Judgement judgement = GatePolicy::judge(facts);
    const bool answered = judgement.verdict.permitted() || judgement.verdict.needs_approval();
    if (answered || !recorder_.healthy()) return judgement;
    if (judgement.verdict.rule() == policy::kDefaultDenyNetwork &&
        guard::is_database_host(gate_.policy()->policy().database, facts.name))
      return {policy::Verdict::allow(kDatabaseRule), true};
    if (services_ == nullptr || !services_->judge_direct(facts.name)) return judgement;
    return {policy::Verdict::allow(services::kDirectRule), true};
  }

 private:
  const policy::Gate& gate_;
  const audit::Recorder& recorder_;
  const std::shared_ptr<const services::SessionServices> services_;
};

// The corporate proxy's address, looked up now and then, so that connecting never waits for it.
class ProxyAddress {
 public:
  explicit ProxyAddress(Endpoint fixed) : endpoint_(fixed) {}
  std::optional<Endpoint> get() const {
    std::lock_guard lock(mutex_);
    return endpoint_;
  }
  void set(Endpoint endpoint) {
    std::lock_guard lock(mutex_);
    endpoint_ = endpoint;
  }
  ProxyAddress() = default;

 private:
  mutable std::mutex mutex_;
  std::optional<Endpoint> endpoint_;
};

flows::FlowOptions flow_options(const config::NetworkSection& network) {
  flows::FlowOptions options;
  options.hello = in_milliseconds(network.timeouts.handshake);
  options.request_head = in_milliseconds(network.timeouts.request_head);
  options.connect = in_milliseconds(network.timeouts.connect + network.timeouts.handshake);
  options.keep_alive = in_milliseconds(network.timeouts.idle);
  options.body_stall = in_milliseconds(network.timeouts.body);
  return options;
}

dns::Rcode deny_rcode(config::DenyRcode configured) {
  switch (configured) {
    case config::DenyRcode::kNxDomain:
      return dns::Rcode::kNxDomain;
    case config::DenyRcode::kRefused:
      return dns::Rcode::kRefused;
    case config::DenyRcode::kServFail:
      return dns::Rcode::kServFail;
  }
  return dns::Rcode::kRefused;
}

}  // namespace

struct NetworkService::State {
  // One event loop with what belongs to it.
  struct Lane {
    explicit Lane(const std::string& name) : worker(name) {}
    net::Worker worker;
    std::shared_ptr<dns::Service> dns;
  };

  // A session on one lane: its contexts and listeners. Lives on that lane's thread.
  struct Door {
    std::chrono::steady_clock::time_point next_warning{};  // Not one for each of thousands.
    std::shared_ptr<const flows::FlowContext> context;
    std::shared_ptr<Ingress> ingress;
    std::vector<std::shared_ptr<net::Listener>> listeners;
    std::shared_ptr<boost::asio::posix::stream_descriptor> refusals;  // On one lane.
    std::atomic<bool> closed = false;
  };

  struct Served {
    NetworkSession session;
    std::shared_ptr<ConfiguredPolicy> policy;
    std::shared_ptr<mcp::SessionMcp> mcp;
    std::size_t dns_lane = 0;
    std::vector<std::shared_ptr<Door>> doors;  // One per lane.
    std::vector<std::shared_ptr<net::Listener>> published;
  };

  State(const config::ServerConfig& server_config, audit::Recorder& event_recorder)
      : config(server_config), recorder(event_recorder) {}

  const config::ServerConfig& config;
  audit::Recorder& recorder;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::shared_ptr<const certs::TrustStore> upstream_trust;
  std::map<const certs::LeafCache*, std::weak_ptr<flows::TlsShared>>
      tls;  // One per certificate authority in use.
  std::shared_ptr<flows::DirectConnector> connector;
  std::shared_ptr<ProxyAddress> corporate_proxy;
  // Clients cancel their own statements only: the keys are of all sessions together.
  const std::shared_ptr<pg::CancelTable> cancels = std::make_shared<pg::CancelTable>();
  std::shared_ptr<pg::CredentialSource> credentials;
  std::size_t next_lane = 0;
  std::mutex mutex;  // Guards `served`, which record_refusal() reads from the redirector's thread.
  std::map<std::string, std::shared_ptr<Served>, std::less<>> served;

  std::shared_ptr<flows::TlsShared> tls_for(const std::shared_ptr<certs::LeafCache>& leaves);
  Result<> create_lanes();
  Result<> create_connector();
  std::shared_ptr<const flows::FlowContext> context_for(const Served& served,
                                                        std::shared_ptr<dns::Session> names);
  std::shared_ptr<dns::Session> dns_session(const NetworkSession& session);
  Result<> serve_dns(Served& served, std::shared_ptr<dns::Session> names);
  static void record_turned_away(Door& door, const FlowOrigin& origin);
  static awaitable<void> accept(Lane& lane, std::shared_ptr<Door> door,
                                std::shared_ptr<net::Listener> listener);
  static awaitable<void> read_refusals(std::shared_ptr<Door> door, bpf::NftRefusalLog log,
                                       bpf::RefusalCallback report);
  static awaitable<void> look_up_proxy(State& state, std::string host, std::uint16_t port);
};

Result<> NetworkService::State::create_lanes() {
  std::size_t count = static_cast<std::size_t>(config.sandbox.network.threads);
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  auto trust = certs::TrustStore::load(certs::find_host_bundle().value_or(""),
                                       config.sandbox.network.upstream_ca_files);
  if (!trust)
    return std::unexpected(with_context(trust.error(), "certificates of upstream servers"));
  upstream_trust = std::move(*trust);
  dns::EngineOptions engine_options;
  engine_options.deny_rcode = deny_rcode(config.sandbox.network.deny_rcode);
  auto engine =
      std::make_shared<dns::Engine>(engine_options, std::make_shared<dns::Cache>(kDnsCacheBytes));
  dns::UpstreamOptions upstream;
  upstream.servers = config.sandbox.network.resolvers;
  upstream.total_timeout = in_milliseconds(config.sandbox.network.timeouts.dns);
  for (std::size_t i = 0; i < count; ++i) {
    auto lane = std::make_unique<Lane>(fmt::format("agentsh-net-{}", i));
    lane->dns = dns::Service::create(lane->worker.executor(), engine, upstream);
    lanes.push_back(std::move(lane));
  }
  return {};
}

std::shared_ptr<flows::TlsShared> NetworkService::State::tls_for(
    const std::shared_ptr<certs::LeafCache>& leaves) {
  auto& known = tls[leaves.get()];
  auto shared = known.lock();
  if (!shared) known = shared = std::make_shared<flows::TlsShared>(leaves, upstream_trust);
  return shared;
}

Result<> NetworkService::State::create_connector() {
  flows::ConnectorOptions options;
  options.timeout = in_milliseconds(config.sandbox.network.timeouts.connect);
  const config::UpstreamProxy& proxy = config.sandbox.network.upstream_proxy;
  if (!proxy.host.empty()) {
    flows::CorporateProxy corporate;
    corporate_proxy = std::make_shared<ProxyAddress>();
    corporate.endpoint = [address = corporate_proxy] { return address->get(); };
    if (!proxy.user.empty())
      corporate.authorization = "Basic " + to_base64(proxy.user + ":" + proxy.password);
    for (const std::string& entry : config.sandbox.network.upstream_proxy_bypass) {
      if (auto network = Cidr::parse(entry)) {
        corporate.direct_networks.push_back(*network);
      } else if (auto host = canonical_host(
                     entry.starts_with("*.") ? std::string_view(entry).substr(2) : entry)) {
        corporate.direct_domains.push_back(*host);
      }
    }
    options.proxy = std::move(corporate);
    if (auto address = IpAddress::parse(proxy.host)) {
      corporate_proxy->set({*address, proxy.port});
    } else {
      Lane& lane = *lanes.front();
      lane.worker.post([this, &lane, host = proxy.host, port = proxy.port] {
        lane.worker.tasks().spawn("upstream proxy", look_up_proxy(*this, host, port));
      });
    }
  }
  connector = std::make_shared<flows::DirectConnector>(std::move(options));
  return {};
}

awaitable<void> NetworkService::State::look_up_proxy(State& state, std::string host,
                                                     std::uint16_t port) {
  const dns::Resolver& resolver = state.lanes.front()->dns->resolver();
  boost::asio::steady_timer timer(state.lanes.front()->worker.executor());
  for (;;) {
    auto found = co_await resolver.look_up(host);
    if (found && !found->empty()) {
      state.corporate_proxy->set({found->back(), port});
    } else {
      log_warning("proxy", "upstream proxy {}: {}", host,
                  found ? "no address" : found.error().what);
    }
    timer.expires_after(found ? 60s : 5s);
    auto [error] = co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return;
  }
}

std::shared_ptr<dns::Session> NetworkService::State::dns_session(const NetworkSession& session) {
  dns::SessionOptions options;
  options.id = session.gate->session_id();
  options.policy = std::make_shared<ServiceNames>(*session.gate, recorder, session.services);
  options.observer = std::make_shared<dns::GateObserver>(*session.gate);
  options.actors = std::make_shared<IngressActors>(session.ingress);
  // The session sees the host's file and cannot write it.
  if (auto hosts = read_file("/etc/hosts", 1 << 20)) options.hosts = dns::HostsTable::parse(*hosts);
  if (auto resolv = read_file("/etc/resolv.conf", 1 << 16)) {
    options.search_suffixes = dns::ResolverConfig::parse(*resolv).suffixes;
  }
  return std::make_shared<dns::Session>(std::move(options));
}

std::shared_ptr<const flows::FlowContext> NetworkService::State::context_for(
    const Served& entry, std::shared_ptr<dns::Session> names) {
  auto context = std::make_shared<flows::FlowContext>();
  context->policy = entry.policy;
  context->leases = std::make_shared<flows::DnsLeases>(names);
  const auto& service = lanes[entry.dns_lane]->dns;
  context->resolver = std::make_shared<flows::DnsResolver>(names, service->resolver(), service);
  context->tls = std::make_shared<flows::SessionTls>(tls_for(entry.session.leaves),
                                                     entry.session.gate->session_id());
  context->connector = connector;
  context->services = entry.session.services;
  context->databases =
      std::make_shared<guard::SessionDatabases>(entry.session.gate, cancels, credentials);
  context->inspectors = std::make_shared<flows::InspectorChainFactory>(
      std::vector<std::shared_ptr<flows::HttpInspectorFactory>>{entry.session.services, entry.mcp,
                                                                entry.session.inspectors});
  context->options = flow_options(config.sandbox.network);
  context->options.host_ports = entry.session.host_ports;
  return context;
}

Result<> NetworkService::State::serve_dns(Served& entry, std::shared_ptr<dns::Session> names) {
  auto sockets = std::make_shared<dns::SessionSockets>();
  sockets->udp = entry.session.ingress->take_dns_udp_sockets();
  sockets->tcp = entry.session.ingress->take_dns_tcp_listeners();
  Lane& lane = *lanes[entry.dns_lane];
  lane.worker.post([&lane, names, sockets] {
    if (auto added = lane.dns->add(names, std::move(*sockets)); !added) {
      log_error("dns", "session {}: {}", names->id(), added.error().what);
    }
  });
  return {};
}

// A connection that is closed because the daemon has no descriptors to spare.
void NetworkService::State::record_turned_away(Door& door, const FlowOrigin& origin) {
  const auto now = std::chrono::steady_clock::now();
  if (now >= door.next_warning) {
    door.next_warning = now + std::chrono::seconds(10);
    log_warning("proxy", "{}: descriptors run out: a connection to {} was closed (RLIMIT_NOFILE)",
                door.context->policy->session_id(), origin.destination.to_string());
  }
  audit::Event event("net_connect");
  event.source = "proxy";
  event.command_id = origin.actor.command_id;
  event.pid = origin.actor.pid;
  event.program = origin.actor.program;
  event.remote = origin.destination.to_string();
  event.operation = "connect";
  door.context->policy->record(
      std::move(event),
      policy::Verdict::deny("no-descriptors", "the appliance has too many connections open"));
}

awaitable<void> NetworkService::State::accept(Lane& lane, std::shared_ptr<Door> door,
                                              std::shared_ptr<net::Listener> listener) {
  for (;;) {
    auto accepted = co_await listener->accept();
    if (!accepted) {
      if (accepted.error().code != std::errc::operation_canceled)
        log_error("proxy", "{}", accepted.error().what);
      co_return;
    }
    if (!accepted->peer) continue;
    auto origin = door->ingress->origin_of(accepted->socket.get(), *accepted->peer);
    if (!origin) {
      log_debug("proxy", "{}: {}", door->context->policy->session_id(), origin.error().what);
      continue;  // Closing it refuses it: it did not come by the redirect.
    }
    if (net::is_in_reserve(accepted->socket.get(), net::DescriptorUse::kAccepted)) {
      record_turned_away(*door, *origin);
      continue;
    }
    auto stream = net::SocketStream::adopt(lane.worker.executor(), std::move(accepted->socket));
    if (!stream) {
      log_warning("proxy", "{}", stream.error().what);
      continue;
    }
    flows::FlowInput input{std::move(*stream), origin->destination, origin->actor};
    input.explicit_proxy = origin->destination == proxy_endpoint();
    input.service_listener = origin->destination == services_endpoint() &&
                             !door->context->options.has_host_port(NetworkService::kServicePort);
    lane.worker.tasks().spawn("flow", flows::run_flow(door->context, std::move(input)));
  }
}

awaitable<void> NetworkService::State::read_refusals(std::shared_ptr<Door> door,
                                                     bpf::NftRefusalLog log,
                                                     bpf::RefusalCallback report) {
  const auto readable = door->refusals;
  boost::asio::steady_timer pause(readable->get_executor());
  const std::uint64_t cookie = door->ingress->netns_cookie();
  for (;;) {
    auto [error] = co_await readable->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                                 boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) break;
    auto read = log.read([&](bpf::KernelRefusal refusal) {
      refusal.netns_cookie = cookie;
      report(refusal);
    });
    if (!read) {
      log_error("proxy", "{}", read.error().what);
      break;
    }
    pause.expires_after(kRefusalInterval);
    // Woken early when the lane ends.
    auto [ended] = co_await pause.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (ended) break;
  }
}

Result<std::unique_ptr<NetworkService>> NetworkService::create(
    const config::ServerConfig& config, audit::Recorder& recorder,
    std::shared_ptr<services::SecretSource> secrets) {
  auto state = std::make_unique<State>(config, recorder);
  state->credentials =
      std::make_shared<guard::UpstreamCredentials>(std::move(secrets), ::geteuid());
  if (auto made = state->create_lanes(); !made) return std::unexpected(made.error());
  if (auto made = state->create_connector(); !made) return std::unexpected(made.error());
  return std::unique_ptr<NetworkService>(new NetworkService(std::move(state)));
}

NetworkService::NetworkService(std::unique_ptr<State> state) : state_(std::move(state)) {}

NetworkService::~NetworkService() {
  for (auto& lane : state_->lanes) {
    lane->worker.post([dns = lane->dns] { dns->stop(); });
    lane->worker.stop(in_milliseconds(kShutdownGrace));
  }
}

Result<> NetworkService::open(NetworkSession session) {
  auto entry = std::make_shared<State::Served>();
  const std::string id = session.gate->session_id();
  entry->session = std::move(session);
  entry->policy = std::make_shared<ConfiguredPolicy>(entry->session.gate, entry->session.host_ports,
                                                     state_->config, entry->session.services);
  entry->mcp = mcp::SessionMcp::create(entry->session.gate);
  entry->dns_lane = state_->next_lane++ % state_->lanes.size();
  auto names = state_->dns_session(entry->session);
  if (auto served = state_->serve_dns(*entry, names); !served) return served;
  const std::vector<UniqueFd> listeners = entry->session.ingress->take_tcp_listeners();
  for (auto& lane : state_->lanes) {
    auto door = std::make_shared<State::Door>();
    door->context = state_->context_for(*entry, names);
    door->ingress = entry->session.ingress;
    std::vector<UniqueFd> copies;
    for (const UniqueFd& listener : listeners) {
      auto copy = duplicate(listener);
      if (!copy) return std::unexpected(copy.error());
      copies.push_back(std::move(*copy));
    }
    entry->doors.push_back(door);
    lane->worker.post(
        [&lane = *lane, door, copies = std::make_shared<std::vector<UniqueFd>>(std::move(copies))] {
          for (UniqueFd& copy : *copies) {
            auto listener = net::Listener::adopt(lane.worker.executor(), std::move(copy));
            if (!listener) {
              log_error("proxy", "{}", listener.error().what);
              continue;
            }
            door->listeners.emplace_back(std::move(*listener));
            lane.worker.tasks().spawn("accept", State::accept(lane, door, door->listeners.back()));
          }
        });
  }
  if (auto log = entry->session.ingress->take_refusal_log()) {
    State::Lane& lane = *state_->lanes.front();
    lane.worker.post([this, &lane, door = entry->doors.front(),
                      log = std::make_shared<bpf::NftRefusalLog>(std::move(*log))] {
      UniqueFd copy(::fcntl(log->fd(), F_DUPFD_CLOEXEC, 0));
      if (!copy) return log_error("proxy", "{}", errno_error("fcntl", "F_DUPFD_CLOEXEC").what);
      door->refusals = std::make_shared<boost::asio::posix::stream_descriptor>(
          lane.worker.executor(), copy.release());
      lane.worker.tasks().spawn(
          "refusals", State::read_refusals(door, std::move(*log), [this](const auto& refusal) {
            record_refusal(refusal);
          }));
    });
  }
  std::lock_guard lock(state_->mutex);
  state_->served[id] = std::move(entry);
  return {};
}

void NetworkService::close(const std::string& session_id) {
  std::shared_ptr<State::Served> entry;
  {
    std::lock_guard lock(state_->mutex);
    auto node = state_->served.extract(session_id);
    if (node.empty()) return;
    entry = std::move(node.mapped());
  }
  for (const auto& listener : entry->published) listener->close();
  for (std::size_t i = 0; i < state_->lanes.size(); ++i) {
    State::Lane& lane = *state_->lanes[i];
    lane.worker.post([&lane, door = entry->doors[i], session_id, dns_here = i == entry->dns_lane] {
      for (const auto& listener : door->listeners) listener->close();
      door->listeners.clear();
      if (door->refusals) door->refusals->close();
      if (dns_here) lane.dns->remove(session_id);
    });
  }
}

std::string NetworkService::proxy_url() {
  return "http://" + proxy_endpoint().to_string();
}

std::string NetworkService::services_url() {
  return "http://" + services_endpoint().to_string();
}

namespace {

// One connection from the host to a port of a session.
awaitable<void> pass_on(UniqueFd outside, boost::asio::any_io_executor executor,
                        std::shared_ptr<NetworkService::ConnectInside> connect) {
  auto inside = std::make_shared<std::optional<Result<UniqueFd>>>();
  auto done = std::make_shared<boost::asio::steady_timer>(
      executor, boost::asio::steady_timer::time_point::max());
  (*connect)([inside, done](Result<UniqueFd> socket) {
    inside->emplace(std::move(socket));
    done->cancel();
  });
  if (!inside->has_value())
    co_await done->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (!inside->has_value() || !**inside) co_return;
  auto a = net::SocketStream::adopt(executor, std::move(outside));
  auto b = net::SocketStream::adopt(executor, std::move(***inside));
  if (!a || !b) co_return;
  net::RelayCounters counters;
  co_await net::relay(**a, **b, {}, counters);
}

awaitable<void> accept_published(std::shared_ptr<net::Listener> listener,
                                 boost::asio::any_io_executor executor,
                                 std::shared_ptr<NetworkService::ConnectInside> connect) {
  for (;;) {
    auto accepted = co_await listener->accept();
    if (!accepted) co_return;
    boost::asio::co_spawn(executor, pass_on(std::move(accepted->socket), executor, connect),
                          boost::asio::detached);
  }
}

}  // namespace

Result<std::uint16_t> NetworkService::publish(const std::string& session_id,
                                              std::uint16_t host_port,
                                              boost::asio::any_io_executor executor,
                                              ConnectInside connect) {
  auto socket = net::listen_tcp({IpAddress::v4(0x7f000001), host_port});
  if (!socket) return std::unexpected(socket.error());
  auto endpoint = net::local_endpoint(socket->get());
  if (!endpoint) return std::unexpected(endpoint.error());
  auto listener = net::Listener::adopt(executor, std::move(*socket));
  if (!listener) return std::unexpected(listener.error());
  std::shared_ptr<net::Listener> shared = std::move(*listener);
  {
    std::lock_guard lock(state_->mutex);
    auto found = state_->served.find(session_id);
    if (found == state_->served.end()) return fail("the session has ended");
    found->second->published.push_back(shared);
  }
  boost::asio::co_spawn(
      executor,
      accept_published(shared, executor, std::make_shared<ConnectInside>(std::move(connect))),
      boost::asio::detached);
  return endpoint->port;
}

void NetworkService::record_refusal(const bpf::KernelRefusal& refusal) {
  std::shared_ptr<State::Served> entry;
  {
    std::lock_guard lock(state_->mutex);
    for (const auto& [id, candidate] : state_->served) {
      if (candidate->session.ingress->netns_cookie() == refusal.netns_cookie) entry = candidate;
    }
  }
  if (!entry) return;
  audit::Event event(refusal.destination ? "net_connect" : "seccomp_socket_rule_blocked");
  event.source = entry->session.ingress->mechanism() == Mechanism::kEbpf ? "bpf" : "nftables";
  event.pid = refusal.pid;
  event.program = refusal.comm;
  event.command_id = entry->session.ingress->commands().command_of(refusal.pid);
  event.timestamp = refusal.first_at;
  if (refusal.destination) event.remote = refusal.destination->to_string();
  event.operation = "connect";
  event.field("count", static_cast<std::int64_t>(refusal.count))
      .field("protocol", std::int64_t{refusal.protocol});
  std::string rule(policy::kDefaultDenyNetwork);
  std::string message(bpf::to_string(refusal.kind));
  if (refusal.kind == bpf::RefusalKind::kRule) {
    const KernelRules rules = kernel_rules(*entry->session.gate->policy());
    if (refusal.tag < rules.names.size()) {
      rule = rules.names[refusal.tag];
      message = rules.messages[refusal.tag];
    }
  }
  entry->session.gate->record(std::move(event), policy::Verdict::deny(rule, message));
}

}  // namespace agentsh
