#include "tests/bench/http/bench_proxy.h"

#include "audit/recorder.h"
#include "policies/approval_queue.h"
#include "policies/compiled_policy.h"
#include "policies/loader.h"
#include "proxy/flows/direct_connector.h"
#include "proxy/flows/flow.h"
#include "proxy/flows/gate_policy.h"
#include "proxy/flows/session_tls.h"
#include "proxy/net/listener.h"
#include "proxy/net/worker.h"

#include <future>

namespace agentsh::bench {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kPolicy = R"(version: 1
name: bench
network_rules:
  - {name: deny-metadata, cidrs: ["169.254.0.0/16"], decision: deny}
  - {name: allow-origin, domains: ["localhost"], cidrs: ["127.0.0.0/8"], decision: allow}
)";

// The session was given 127.0.0.1 for "localhost", by DNS.
class OneLease final : public flows::NameLeases {
 public:
  std::vector<std::string> names_of(const IpAddress&) const override { return {"localhost"}; }
  bool is_leased(std::string_view name, const IpAddress&) const override {
    return name == "localhost";
  }
  std::shared_ptr<void> hold(std::string_view, const IpAddress&) const override { return nullptr; }
};

class NoResolver final : public flows::NameResolver {
 public:
  asio::awaitable<flows::Resolution> resolve(std::string, policy::Actor) override {
    co_return flows::Resolution{};
  }
  asio::awaitable<Result<std::vector<IpAddress>>> look_up(std::string) override {
    co_return fail("no look-ups here");
  }
};

asio::awaitable<void> accept_all(std::shared_ptr<net::Listener> listener,
                                 std::shared_ptr<const flows::FlowContext> context,
                                 net::Worker& worker, Endpoint origin) {
  while (true) {
    Result<net::Accepted> accepted = co_await listener->accept();
    if (!accepted) co_return;
    auto stream = net::SocketStream::adopt(worker.executor(), std::move(accepted->socket));
    if (!stream) continue;
    flows::FlowInput input;
    input.client = std::move(*stream);
    input.destination = origin;
    input.actor = {.command_id = "cmd-bench", .pid = 1, .program = "wrk"};
    worker.tasks().spawn("flow", flows::run_flow(context, std::move(input)));
  }
}

Result<std::shared_ptr<const policy::CompiledPolicy>> compile() {
  policy::Diagnostics problems("bench.yaml");
  std::optional<policy::Policy> loaded = policy::load_policy(kPolicy, problems);
  if (!loaded) return std::unexpected(problems.to_error());
  return policy::CompiledPolicy::compile(std::move(*loaded), {});
}

}  // namespace

struct BenchProxy::State {
  std::unique_ptr<audit::Recorder> recorder;
  policy::ApprovalQueue approvals{{}};
  std::shared_ptr<flows::FlowContext> context;
  std::unique_ptr<net::Worker> worker;
  std::vector<std::shared_ptr<net::Listener>> listeners;  // The worker's.
};

BenchProxy::BenchProxy(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<BenchProxy>> BenchProxy::start(const TestCertificates& certificates,
                                                      const std::string& directory, int cpu) {
  auto state = std::make_unique<State>();
  audit::RecorderOptions options;
  options.directory = directory + "/audit";
  options.key_file = directory + "/audit.key";
  auto recorder = audit::Recorder::open(options);
  if (!recorder) return std::unexpected(recorder.error());
  state->recorder = std::move(*recorder);
  auto policy = compile();
  if (!policy) return std::unexpected(policy.error());

  auto authority = certs::Authority::generate();
  if (!authority) return std::unexpected(authority.error());
  auto factory = certs::LeafFactory::create(*authority);
  if (!factory) return std::unexpected(factory.error());
  auto trust = certs::TrustStore::from_pem(certificates.authority_pem);
  if (!trust) return std::unexpected(trust.error());

  auto context = std::make_shared<flows::FlowContext>();
  context->policy = std::make_shared<flows::GatePolicy>(
      std::make_shared<policy::Gate>("session-bench", *policy, *state->recorder, state->approvals));
  context->leases = std::make_shared<OneLease>();
  context->resolver = std::make_shared<NoResolver>();
  context->tls = std::make_shared<flows::SessionTls>(
      std::make_shared<flows::TlsShared>(std::make_shared<certs::LeafCache>(std::move(*factory)),
                                         *trust),
      "session-bench");
  context->connector = std::make_shared<flows::DirectConnector>(flows::ConnectorOptions{});
  state->context = std::move(context);
  state->worker = std::make_unique<net::Worker>("proxy");
  state->worker->post([cpu] { pin_this_thread(cpu); });
  return std::unique_ptr<BenchProxy>(new BenchProxy(std::move(state)));
}

Result<std::uint16_t> BenchProxy::listen(std::uint16_t origin) {
  auto socket = net::listen_tcp({IpAddress::v4(0x7f000001), 0}, 4096);
  if (!socket) return std::unexpected(socket.error());
  auto endpoint = net::local_endpoint(socket->get());
  if (!endpoint) return std::unexpected(endpoint.error());
  std::promise<void> ready;
  state_->worker->post([&, fd = std::make_shared<UniqueFd>(std::move(*socket))] {
    auto listener = net::Listener::adopt(state_->worker->executor(), std::move(*fd));
    if (listener) {
      state_->listeners.emplace_back(std::move(*listener));
      state_->worker->tasks().spawn(
          "listener", accept_all(state_->listeners.back(), state_->context, *state_->worker,
                                 {IpAddress::v4(0x7f000001), origin}));
    }
    ready.set_value();
  });
  ready.get_future().wait();
  return endpoint->port;
}

std::uint64_t BenchProxy::events() const {
  return state_->recorder->recorded();
}

void BenchProxy::finish_index() {
  for (;;) {
    const auto page = state_->recorder->query({.limit = 1});
    if (!page || page->complete) return;
  }
}

BenchProxy::~BenchProxy() {
  state_->worker->post([this] {
    for (const auto& listener : state_->listeners) listener->close();
  });
  state_->worker->stop(std::chrono::seconds(2));
  state_->listeners.clear();
}

}  // namespace agentsh::bench
