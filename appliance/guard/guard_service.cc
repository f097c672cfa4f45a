#include "appliance/guard/guard_service.h"

#include "appliance/guard/session_databases.h"
#include "appliance/guard/upstream_credentials.h"
#include "base/file_io.h"
#include "base/log.h"
#include "certs/leaf.h"
#include "certs/trust_locations.h"
#include "policies/compiled_policy.h"
#include "proxy/dns/service.h"
#include "proxy/flows/direct_connector.h"
#include "proxy/flows/flow_events.h"
#include "proxy/flows/gate_policy.h"
#include "proxy/flows/session_tls.h"
#include "proxy/net/listener.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/tls_stream.h"
#include "proxy/net/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

namespace agentsh::guard {
namespace {

using boost::asio::awaitable;

constexpr std::chrono::milliseconds kShutdownGrace{1000};
constexpr std::size_t kDnsCacheBytes = 1 << 20;

std::chrono::milliseconds in_milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

// The servers' names are the operator's.
class OperatorNames final : public flows::NameResolver {
 public:
  explicit OperatorNames(std::shared_ptr<dns::Service> service) : service_(std::move(service)) {}
  awaitable<flows::Resolution> resolve(std::string, policy::Actor) override {
    co_return flows::Resolution{};
  }
  awaitable<Result<std::vector<IpAddress>>> look_up(std::string host) override {
    return service_->resolver().look_up(std::move(host));
  }

 private:
  const std::shared_ptr<dns::Service> service_;
};

// Nobody has names from us here.
class NoLeases final : public flows::NameLeases {
 public:
  std::vector<std::string> names_of(const IpAddress&) const override { return {}; }
  bool is_leased(std::string_view, const IpAddress&) const override { return false; }
  std::shared_ptr<void> hold(std::string_view, const IpAddress&) const override { return nullptr; }
};

// A policy with its door.
struct Ruled {
  std::string name;
  std::shared_ptr<policy::Gate> gate;
  std::shared_ptr<ServiceRules> rules;
};

awaitable<Result<flows::TlsLeg>> accept_with(std::shared_ptr<flows::TlsShared> tls,
                                             std::shared_ptr<const certs::Leaf> leaf,
                                             std::unique_ptr<net::ByteStream> client) {
  auto contexts = tls->contexts(client->executor());
  if (!contexts) co_return std::unexpected(contexts.error());
  net::TlsServerOptions options;
  options.leaf = std::move(leaf);
  options.alpn = {"postgresql"};
  options.any_server_name = true;
  options.scope = "guard";
  auto opened = co_await net::accept_tls(contexts->server, std::move(client), std::move(options));
  if (!opened) co_return std::unexpected(opened.error());
  flows::TlsLeg leg;
  leg.alpn = (*opened)->info().alpn;
  leg.end_point = (*opened)->server_end_point();
  leg.stream = std::move(*opened);
  co_return leg;
}

awaitable<void> serve_client(std::shared_ptr<const flows::FlowContext> flow,
                             std::shared_ptr<const pg::GuardContext> context,
                             std::unique_ptr<net::ByteStream> client, Endpoint peer) {
  flows::Connection connection;
  connection.context = std::move(flow);
  connection.client = std::move(client);
  connection.destination = peer;  // For events: who it is that connects.
  co_await pg::run_guard(connection, std::move(context));
  connection.context->policy->record(flows::close_event(connection));
  if (connection.client != nullptr) connection.client->close();
}

}  // namespace

struct GuardService::State {
  struct Lane {
    explicit Lane(const std::string& name) : worker(name) {}
    net::Worker worker;
    std::shared_ptr<dns::Service> dns;
    std::vector<std::shared_ptr<net::Listener>> listeners;
  };
  struct Door {
    config::GuardListener config;
    UniqueFd socket;
    Endpoint address;
    std::shared_ptr<Ruled> ruled;
    std::shared_ptr<const certs::Leaf> leaf;  // Null: plain.
  };

  explicit State(const Parts& given) : parts(given) {}

  Result<> open_doors();
  Result<> open_door(const config::GuardListener& listener);
  Result<std::shared_ptr<Ruled>> policy_of(const std::string& name);
  Result<> create_lanes();
  Result<> serve(Lane& lane);
  static awaitable<void> accept(Lane& lane, std::shared_ptr<net::Listener> listener,
                                std::shared_ptr<const flows::FlowContext> flow,
                                std::shared_ptr<const Door> door, std::shared_ptr<State*> state);
  std::shared_ptr<const flows::FlowContext> flow_of(const Lane& lane, const Door& door) const;
  std::shared_ptr<const pg::GuardContext> context_of(const Door& door) const;

  Parts parts;
  std::map<std::string, std::shared_ptr<Ruled>> policies;
  std::shared_ptr<pg::CancelTable> cancels = std::make_shared<pg::CancelTable>();
  std::shared_ptr<pg::CredentialSource> credentials;
  std::shared_ptr<flows::TlsShared> tls;
  std::shared_ptr<flows::DirectConnector> connector;
  std::vector<std::shared_ptr<const Door>> doors;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::shared_ptr<State*> self = std::make_shared<State*>(this);
};

Result<std::shared_ptr<Ruled>> GuardService::State::policy_of(const std::string& name) {
  if (const auto known = policies.find(name); known != policies.end()) return known->second;
  auto compiled = parts.policies.get(name, policy::Variables());
  if (!compiled) return std::unexpected(compiled.error());
  auto ruled = std::make_shared<Ruled>();
  ruled->name = name;
  ruled->gate = std::make_shared<policy::Gate>("guard", *compiled, parts.recorder, parts.approvals);
  ruled->rules = std::make_shared<ServiceRules>(ruled->gate);
  policies[name] = ruled;
  return ruled;
}

Result<> GuardService::State::open_door(const config::GuardListener& listener) {
  auto door = std::make_shared<Door>();
  door->config = listener;
  if (door->config.policy.empty()) door->config.policy = parts.config.policies.default_policy;
  auto ruled = policy_of(door->config.policy);
  if (!ruled) return std::unexpected(with_context(ruled.error(), "guard.listeners"));
  door->ruled = *ruled;
  const auto service = door->ruled->rules->get(listener.service);
  if (service == nullptr)
    return fail(fmt::format("guard.listeners: the policy {} has no db_services entry \"{}\"",
                            door->config.policy, listener.service));
  const auto& real_login = service->service.credentials;
  if (!listener.cert_file.empty() && !real_login)
    return fail(
        fmt::format("guard.listeners: cert_file needs credentials for db_services.{}: a "
                    "login that is relayed does not work over TLS",
                    listener.service));
  if (real_login && real_login->placeholder.empty())
    return fail(
        fmt::format("guard.listeners: db_services.{}.credentials needs a placeholder: "
                    "otherwise whoever reaches the listener is logged in",
                    listener.service));
  if (!listener.cert_file.empty()) {
    auto cert = read_file(listener.cert_file, 1 << 20);
    if (!cert) return std::unexpected(cert.error());
    auto key = read_file(listener.key_file, 1 << 20);
    if (!key) return std::unexpected(key.error());
    auto leaf = certs::Leaf::from_pem(*cert, *key);
    if (!leaf) return std::unexpected(with_context(leaf.error(), listener.cert_file));
    door->leaf = std::move(*leaf);
  }
  auto socket = net::listen_tcp(listener.address);
  if (!socket) return std::unexpected(with_context(socket.error(), "guard.listeners"));
  door->socket = std::move(*socket);
  auto bound = net::local_endpoint(door->socket.get());
  door->address = bound ? *bound : listener.address;
  doors.push_back(std::move(door));
  return {};
}

Result<> GuardService::State::open_doors() {
  auto trust = certs::TrustStore::load(certs::find_host_bundle().value_or(""),
                                       parts.config.sandbox.network.upstream_ca_files);
  if (!trust) return std::unexpected(with_context(trust.error(), "certificates of databases"));
  tls = std::make_shared<flows::TlsShared>(nullptr, std::move(*trust));
  connector = std::make_shared<flows::DirectConnector>(flows::ConnectorOptions{
      .timeout = in_milliseconds(parts.config.sandbox.network.timeouts.connect)});
  credentials = std::make_shared<UpstreamCredentials>(parts.secrets, ::geteuid());
  for (const config::GuardListener& listener : parts.config.guard.listeners) {
    if (auto opened = open_door(listener); !opened) return opened;
  }
  return {};
}

std::shared_ptr<const flows::FlowContext> GuardService::State::flow_of(const Lane& lane,
                                                                       const Door& door) const {
  auto flow = std::make_shared<flows::FlowContext>();
  flow->policy = std::make_shared<flows::GatePolicy>(door.ruled->gate);
  flow->leases = std::make_shared<NoLeases>();
  flow->resolver = std::make_shared<OperatorNames>(lane.dns);
  flow->tls = std::make_shared<flows::SessionTls>(tls, "guard");
  flow->connector = connector;
  return flow;
}

std::shared_ptr<const pg::GuardContext> GuardService::State::context_of(const Door& door) const {
  auto context = std::make_shared<pg::GuardContext>();
  context->service = ServiceRules::watch(door.ruled->rules, door.config.service);
  context->cancels = cancels;
  context->credentials = credentials;
  context->client_identity = door.address.to_string();
  context->resolve_upstream = true;
  if (door.leaf != nullptr) {
    context->accept_tls = [shared = tls, leaf = door.leaf](auto client) {
      return accept_with(shared, leaf, std::move(client));
    };
  }
  return context;
}

awaitable<void> GuardService::State::accept(Lane& lane, std::shared_ptr<net::Listener> listener,
                                            std::shared_ptr<const flows::FlowContext> flow,
                                            std::shared_ptr<const Door> door,
                                            std::shared_ptr<State*> state) {
  for (;;) {
    auto accepted = co_await listener->accept();
    if (!accepted) {
      if (accepted.error().code != std::errc::operation_canceled)
        log_error("guard", "{}", accepted.error().what);
      co_return;
    }
    auto stream = net::SocketStream::adopt(lane.worker.executor(), std::move(accepted->socket));
    if (!stream || !accepted->peer) continue;
    lane.worker.tasks().spawn("guard", serve_client(flow, (*state)->context_of(*door),
                                                    std::move(*stream), *accepted->peer));
  }
}

// Each lane accepts from each socket.
Result<> GuardService::State::serve(Lane& lane) {
  for (const auto& door : doors) {
    UniqueFd copy(::fcntl(door->socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return std::unexpected(errno_error("fcntl", "F_DUPFD_CLOEXEC"));
    lane.worker.post([&lane, door, flow = flow_of(lane, *door), state = self,
                      fd = std::make_shared<UniqueFd>(std::move(copy))] {
      auto listener = net::Listener::adopt(lane.worker.executor(), std::move(*fd));
      if (!listener) return log_error("guard", "{}", listener.error().what);
      lane.listeners.emplace_back(std::move(*listener));
      lane.worker.tasks().spawn("accept", accept(lane, lane.listeners.back(), flow, door, state));
    });
  }
  return {};
}

Result<> GuardService::State::create_lanes() {
  std::size_t count = static_cast<std::size_t>(parts.config.guard.threads);
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  auto engine = std::make_shared<dns::Engine>(dns::EngineOptions{},
                                              std::make_shared<dns::Cache>(kDnsCacheBytes));
  dns::UpstreamOptions upstream;
  upstream.servers = parts.config.sandbox.network.resolvers;
  upstream.total_timeout = in_milliseconds(parts.config.sandbox.network.timeouts.dns);
  for (std::size_t i = 0; i < count; ++i) {
    auto lane = std::make_unique<Lane>("agentsh-db-" + std::to_string(i));
    lane->dns = dns::Service::create(lane->worker.executor(), engine, upstream);
    lanes.push_back(std::move(lane));
    if (auto served = serve(*lanes.back()); !served) return served;
  }
  return {};
}

Result<std::unique_ptr<GuardService>> GuardService::create(const Parts& parts) {
  if (parts.config.guard.listeners.empty()) return std::unique_ptr<GuardService>();
  std::unique_ptr<GuardService> service(new GuardService(std::make_unique<State>(parts)));
  for (auto step : {&State::open_doors, &State::create_lanes}) {
    if (auto done = (service->state_.get()->*step)(); !done) return std::unexpected(done.error());
  }
  return service;
}

GuardService::GuardService(std::unique_ptr<State> state) : state_(std::move(state)) {}

GuardService::~GuardService() {
  for (auto& lane : state_->lanes) {
    lane->worker.post([lane = lane.get()] {
      for (const auto& listener : lane->listeners) listener->close();
      lane->dns->stop();
    });
    lane->worker.stop(kShutdownGrace);
  }
}

std::vector<Endpoint> GuardService::addresses() const {
  std::vector<Endpoint> addresses;
  for (const auto& door : state_->doors) addresses.push_back(door->address);
  return addresses;
}

void GuardService::reload() {
  for (const auto& [name, ruled] : state_->policies) {
    auto again = state_->parts.policies.get(name, policy::Variables());
    if (again)
      ruled->gate->set_policy(*again);
    else
      log_error("guard", "policy {}: {}; the one before it holds", name, again.error().what);
  }
}

}  // namespace agentsh::guard
