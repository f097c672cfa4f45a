#include "appliance/gateway/gateway_service.h"

#include "appliance/gateway/key_services.h"
#include "appliance/gateway/provider_keys.h"
#include "appliance/gateway/upstreams.h"
#include "base/file_io.h"
#include "base/log.h"
#include "certs/leaf.h"
#include "certs/trust_locations.h"
#include "proxy/dns/service.h"
#include "proxy/flows/direct_connector.h"
#include "proxy/flows/session_tls.h"
#include "proxy/gateway/gateway_flow.h"
#include "proxy/net/listener.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/tls_stream.h"
#include "proxy/net/worker.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>

#include <thread>

namespace agentsh {
namespace {

namespace asio = boost::asio;
using boost::asio::awaitable;
using gateway::GatewayContext;

constexpr std::chrono::milliseconds kShutdownGrace{1000};
constexpr std::chrono::seconds kReadKeysAgain{60};
constexpr std::size_t kDnsCacheBytes = 1 << 20;
constexpr const char* kSessionId = "gateway";

std::chrono::milliseconds in_milliseconds(config::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

// The gateway's connections as flows ask: all its servers are the operator's choice.
class GatewayPolicy final : public flows::FlowPolicy {
 public:
  explicit GatewayPolicy(audit::Recorder& recorder) : recorder_(recorder) {}

  const std::string& session_id() const override { return id_; }
  std::shared_ptr<const void> version() const override { return version_; }
  policy::Verdict judge(const policy::ConnectFacts&) const override {
    return policy::Verdict::deny(kSessionId, "the gateway connects to its upstreams only");
  }
  std::string settle(policy::Verdict verdict, policy::ApprovalRequest, audit::Event event,
                     Callback done) override {
    record(std::move(event));
    done(verdict.permitted() ? std::move(verdict)
                             : policy::Verdict::deny(kSessionId, "there is nobody to ask"));
    return {};
  }
  void abandon(const std::string&) override {}
  void record(audit::Event event) override {
    event.session_id = id_;
    recorder_.record(std::move(event));
  }
  void record(audit::Event event, const policy::Verdict&) override { record(std::move(event)); }

 private:
  audit::Recorder& recorder_;
  const std::string id_ = kSessionId;
  const std::shared_ptr<const void> version_ = std::make_shared<int>(0);
};

class OperatorResolver final : public flows::NameResolver {
 public:
  explicit OperatorResolver(std::shared_ptr<dns::Service> service) : service_(std::move(service)) {}
  awaitable<flows::Resolution> resolve(std::string, policy::Actor) override {
    co_return flows::Resolution{};
  }
  awaitable<Result<std::vector<IpAddress>>> look_up(std::string host) override {
    return service_->resolver().look_up(std::move(host));
  }

 private:
  const std::shared_ptr<dns::Service> service_;
};

// A certificate that may be replaced while connections are made.
struct Certificate {
  std::string cert_file;
  std::string key_file;
  LockGuarded<std::shared_ptr<const certs::Leaf>> leaf;

  Result<> read() {
    auto cert = read_file(cert_file, 1 << 20);
    if (!cert) return std::unexpected(cert.error());
    auto key = read_file(key_file, 1 << 20);
    if (!key) return std::unexpected(key.error());
    auto read = certs::Leaf::from_pem(*cert, *key);
    if (!read) return std::unexpected(with_context(read.error(), cert_file));
    *leaf.lock() = std::move(*read);
    return {};
  }
};

}  // namespace

struct GatewayService::State {
  // One event loop with what belongs to it.
  struct Lane {
    explicit Lane(const std::string& name) : worker(name) {}
    net::Worker worker;
    std::shared_ptr<dns::Service> dns;
    std::vector<std::shared_ptr<net::Listener>> listeners;
  };
  // A listening socket with what its connections are given.
  struct Door {
    config::GatewayListener config;
    UniqueFd socket;
    Endpoint address;
    std::shared_ptr<Certificate> certificate;  // Null: plain.
  };

  explicit State(const Parts& given) : parts(given) {}

  Result<> read_config();
  Result<> open_doors();
  Result<> create_lanes();
  Result<> serve(Lane& lane);
  std::shared_ptr<const GatewayContext> context_for(const Lane& lane, const Door& door);
  static awaitable<void> accept(Lane& lane, std::shared_ptr<net::Listener> listener,
                                std::shared_ptr<const GatewayContext> context,
                                std::shared_ptr<Certificate> certificate,
                                std::shared_ptr<flows::TlsShared> tls);
  static awaitable<void> serve_client(std::shared_ptr<const GatewayContext> context,
                                      std::unique_ptr<net::ByteStream> client, Endpoint peer,
                                      std::shared_ptr<const certs::Leaf> leaf,
                                      std::shared_ptr<flows::TlsShared> tls);
  static awaitable<void> refresh_keys(asio::any_io_executor executor,
                                      std::shared_ptr<ProviderKeys> keys);

  Parts parts;
  std::shared_ptr<const std::vector<gateway::Upstream>> upstreams;
  std::shared_ptr<const gateway::RouteTable> routes;
  std::shared_ptr<gateway::UpstreamHealth> health;
  std::shared_ptr<ProviderKeys> provider_keys;
  std::shared_ptr<KeyServices> key_services;
  std::shared_ptr<GatewayPolicy> policy;
  std::shared_ptr<flows::TlsShared> tls;
  std::shared_ptr<flows::DirectConnector> connector;
  std::vector<Door> doors;
  std::vector<std::unique_ptr<Lane>> lanes;
};

Result<> GatewayService::State::read_config() {
  const config::GatewaySection& section = parts.config.gateway;
  auto read = read_upstreams(section);
  if (!read) return std::unexpected(read.error());
  upstreams = std::make_shared<const std::vector<gateway::Upstream>>(std::move(*read));
  auto table = read_routes(section);
  if (!table) return std::unexpected(table.error());
  routes = std::make_shared<const gateway::RouteTable>(std::move(*table));
  health = std::make_shared<gateway::UpstreamHealth>(upstreams->size());
  std::vector<std::string> references;
  for (const config::GatewayUpstream& one : section.upstreams) references.push_back(one.api_key);
  provider_keys = std::make_shared<ProviderKeys>(parts.secrets, std::move(references));
  provider_keys->refresh();
  key_services = std::make_shared<KeyServices>(parts.llm, parts.accounting, parts.recorder);
  policy = std::make_shared<GatewayPolicy>(parts.recorder);
  auto trust = certs::TrustStore::load(certs::find_host_bundle().value_or(""),
                                       parts.config.sandbox.network.upstream_ca_files);
  if (!trust) return std::unexpected(with_context(trust.error(), "certificates of upstreams"));
  tls = std::make_shared<flows::TlsShared>(nullptr, std::move(*trust));
  connector = std::make_shared<flows::DirectConnector>(
      flows::ConnectorOptions{.timeout = in_milliseconds(section.connect_timeout)});
  return {};
}

Result<> GatewayService::State::open_doors() {
  for (const config::GatewayListener& listener : parts.config.gateway.listeners) {
    Door door{.config = listener, .socket = {}, .address = listener.address, .certificate = {}};
    if (!listener.cert_file.empty()) {
      door.certificate = std::make_shared<Certificate>();
      door.certificate->cert_file = listener.cert_file;
      door.certificate->key_file = listener.key_file;
      if (auto read = door.certificate->read(); !read) return read;
    }
    auto socket = net::listen_tcp(listener.address);
    if (!socket) {
      return std::unexpected(with_context(socket.error(), "gateway.listeners"));
    }
    door.socket = std::move(*socket);
    if (auto bound = net::local_endpoint(door.socket.get())) door.address = *bound;
    doors.push_back(std::move(door));
  }
  return {};
}

std::shared_ptr<const GatewayContext> GatewayService::State::context_for(const Lane& lane,
                                                                         const Door& door) {
  const config::GatewaySection& section = parts.config.gateway;
  auto flow = std::make_shared<flows::FlowContext>();
  flow->policy = policy;
  flow->resolver = std::make_shared<OperatorResolver>(lane.dns);
  flow->tls = std::make_shared<flows::SessionTls>(tls, kSessionId);
  flow->connector = connector;
  flow->options.connect = in_milliseconds(section.connect_timeout);
  flow->options.response_head = in_milliseconds(section.response_timeout);
  auto context = std::make_shared<GatewayContext>();
  context->flow = std::move(flow);
  context->keys = parts.keys;
  context->upstreams = upstreams;
  context->routes = routes;
  context->health = health;
  context->provider_key = [keys = provider_keys](std::size_t upstream) {
    return keys->get(upstream);
  };
  context->services = [services = key_services](const gateway::VirtualKey& key,
                                                const gateway::Upstream& upstream) {
    return services->get(key, upstream);
  };
  context->wait_for_services = [services = key_services](asio::any_io_executor executor) {
    return services->wait(std::move(executor));
  };
  context->record = [door_policy = policy](audit::Event event) {
    door_policy->record(std::move(event));
  };
  if (door.config.metrics) {
    context->metrics = [accounting = parts.accounting] {
      std::string text;
      accounting->metrics().write(text);
      return text;
    };
  }
  context->max_request_bytes = section.max_request_size;
  return context;
}

awaitable<void> GatewayService::State::serve_client(std::shared_ptr<const GatewayContext> context,
                                                    std::unique_ptr<net::ByteStream> client,
                                                    Endpoint peer,
                                                    std::shared_ptr<const certs::Leaf> leaf,
                                                    std::shared_ptr<flows::TlsShared> tls) {
  if (leaf != nullptr) {
    auto contexts = tls->contexts(client->executor());
    if (!contexts) co_return;
    net::TlsServerOptions options;
    options.leaf = std::move(leaf);
    options.any_server_name = true;
    options.scope = kSessionId;
    options.timeout = context->flow->options.hello;
    auto opened = co_await net::accept_tls(contexts->server, std::move(client), std::move(options));
    if (!opened) {
      log_debug("gateway", "{}: {}", peer.to_string(), opened.error().what);
      co_return;
    }
    client = std::move(*opened);
  }
  co_await gateway::run_gateway(std::move(context), std::move(client), peer);
}

awaitable<void> GatewayService::State::accept(Lane& lane, std::shared_ptr<net::Listener> listener,
                                              std::shared_ptr<const GatewayContext> context,
                                              std::shared_ptr<Certificate> certificate,
                                              std::shared_ptr<flows::TlsShared> tls) {
  for (;;) {
    auto accepted = co_await listener->accept();
    if (!accepted) {
      if (accepted.error().code != std::errc::operation_canceled) {
        log_error("gateway", "{}", accepted.error().what);
      }
      co_return;
    }
    auto stream = net::SocketStream::adopt(lane.worker.executor(), std::move(accepted->socket));
    if (!stream || !accepted->peer) continue;
    const auto leaf = certificate ? *certificate->leaf.lock() : nullptr;
    lane.worker.tasks().spawn(
        "gateway", serve_client(context, std::move(*stream), *accepted->peer, leaf, tls));
  }
}

awaitable<void> GatewayService::State::refresh_keys(asio::any_io_executor executor,
                                                    std::shared_ptr<ProviderKeys> keys) {
  asio::steady_timer timer(executor);
  for (;;) {
    timer.expires_after(kReadKeysAgain);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    keys->refresh();
  }
}

// Each lane accepts from each socket.
Result<> GatewayService::State::serve(Lane& lane) {
  for (const Door& door : doors) {
    UniqueFd copy(::fcntl(door.socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return std::unexpected(errno_error("fcntl", "F_DUPFD_CLOEXEC"));
    lane.worker.post([&lane, context = context_for(lane, door), certificate = door.certificate,
                      shared_tls = tls, fd = std::make_shared<UniqueFd>(std::move(copy))] {
      auto listener = net::Listener::adopt(lane.worker.executor(), std::move(*fd));
      if (!listener) return log_error("gateway", "{}", listener.error().what);
      lane.listeners.emplace_back(std::move(*listener));
      lane.worker.tasks().spawn(
          "accept", accept(lane, lane.listeners.back(), context, certificate, shared_tls));
    });
  }
  return {};
}

Result<> GatewayService::State::create_lanes() {
  std::size_t count = static_cast<std::size_t>(parts.config.gateway.threads);
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  auto engine = std::make_shared<dns::Engine>(dns::EngineOptions{},
                                              std::make_shared<dns::Cache>(kDnsCacheBytes));
  dns::UpstreamOptions upstream;
  upstream.servers = parts.config.sandbox.network.resolvers;
  upstream.total_timeout = in_milliseconds(parts.config.sandbox.network.timeouts.dns);
  for (std::size_t i = 0; i < count; ++i) {
    auto lane = std::make_unique<Lane>("agentsh-gw-" + std::to_string(i));
    lane->dns = dns::Service::create(lane->worker.executor(), engine, upstream);
    lanes.push_back(std::move(lane));
    if (auto served = serve(*lanes.back()); !served) return served;
  }
  Lane& first = *lanes.front();
  first.worker.post([&first, keys = provider_keys] {
    first.worker.tasks().spawn("provider keys", refresh_keys(first.worker.executor(), keys));
  });
  return {};
}

Result<std::unique_ptr<GatewayService>> GatewayService::create(const Parts& parts) {
  if (parts.config.gateway.listeners.empty()) return std::unique_ptr<GatewayService>();
  auto state = std::make_unique<State>(parts);
  std::unique_ptr<GatewayService> service(new GatewayService(std::move(state)));
  for (auto step : {&State::read_config, &State::open_doors, &State::create_lanes}) {
    if (auto done = (service->state_.get()->*step)(); !done) return std::unexpected(done.error());
  }
  return service;
}

GatewayService::GatewayService(std::unique_ptr<State> state) : state_(std::move(state)) {}

GatewayService::~GatewayService() {
  for (auto& lane : state_->lanes) {
    lane->worker.post([lane = lane.get()] {
      for (const auto& listener : lane->listeners) listener->close();
      lane->dns->stop();
    });
    lane->worker.stop(kShutdownGrace);
  }
}

std::vector<Endpoint> GatewayService::addresses() const {
  std::vector<Endpoint> addresses;
  for (const State::Door& door : state_->doors) addresses.push_back(door.address);
  return addresses;
}

void GatewayService::reload() {
  state_->provider_keys->refresh();
  for (const State::Door& door : state_->doors) {
    if (!door.certificate) continue;
    if (auto read = door.certificate->read(); !read) {
      log_error("gateway", "{}; the certificate that was read before is used", read.error().what);
    }
  }
}

}  // namespace agentsh
