#include "appliance/daemon.h"

#include "appliance/api/server.h"
#include "appliance/authentication.h"
#include "appliance/config/paths.h"
#include "appliance/config/trusted_file.h"
#include "appliance/directory_watch.h"
#include "appliance/gateway/accounting.h"
#include "appliance/gateway/gateway_service.h"
#include "appliance/guard/guard_service.h"
#include "appliance/handlers/handlers.h"
#include "appliance/installation.h"
#include "appliance/llm/dlp_setup.h"
#include "appliance/llm/llm_service.h"
#include "appliance/network/network_service.h"
#include "appliance/secrets/secret_store.h"
#include "appliance/sessions/session_registry.h"
#include "appliance/sessions/session_trust.h"
#include "appliance/version.h"
#include "base/file_io.h"
#include "base/log.h"
#include "certs/trust_locations.h"
#include "proxy/net/listener.h"
#include "proxy/net/worker.h"
#include "sandbox/landlock/ruleset.h"
#include "sandbox/process/cgroup.h"
#include "sandbox/seccomp/filter.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <grp.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace agentsh {
namespace {

using boost::asio::as_tuple;
using boost::asio::awaitable;
using boost::asio::use_awaitable;

// Returns the limit as it was: what sessions have.
rlimit raise_descriptor_limit() {
  rlimit inherited{};
  if (::getrlimit(RLIMIT_NOFILE, &inherited) != 0) return inherited;
  const rlimit raised{inherited.rlim_max, inherited.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return inherited;
}

// Of /proc/self/statm, proc(5): size, resident, ... in pages.
std::size_t resident_bytes() {
  const auto text = read_file("/proc/self/statm", 256);
  if (!text) return 0;
  const std::size_t blank = text->find(' ');
  if (blank == std::string::npos) return 0;
  return std::strtoull(text->c_str() + blank, nullptr, 10) *
         static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

audit::RecorderOptions recorder_options(const config::ServerConfig& config) {
  audit::RecorderOptions options;
  options.directory = config.audit.dir;
  options.key_file = config.audit.key_file;
  options.ring_bytes = config.audit.ring_size;
  options.segment_bytes = static_cast<std::size_t>(config.audit.segment_size_mb) << 20;
  options.max_segments = static_cast<unsigned>(config.audit.max_segments);
  options.backpressure = config.audit.backpressure;
  options.fsync = config.audit.fsync;
  options.fsync_interval =
      std::chrono::duration_cast<std::chrono::milliseconds>(config.audit.fsync_interval);
  options.deny_on_write_error = config.audit.on_write_error == config::WriteError::kDeny;
  return options;
}

api::ServerOptions api_options(const config::ServerConfig& config) {
  using std::chrono::milliseconds;
  api::ServerOptions options;
  options.read_timeout = std::chrono::duration_cast<milliseconds>(config.server.http.read_timeout);
  options.write_timeout =
      std::chrono::duration_cast<milliseconds>(config.server.http.write_timeout);
  options.max_body = config.server.http.max_request_size;
  options.key_header = config.auth.header_name;
  return options;
}

Confinement confinement_of(config::SecurityMode mode) {
  switch (mode) {
    case config::SecurityMode::kLandlockOnly:
      return Confinement::kLandlock;
    case config::SecurityMode::kMinimal:
      return Confinement::kMinimal;
    default:
      return Confinement::kNamespaces;
  }
}

Redirect::Choice redirect_choice(const config::NetworkSection& network) {
  switch (network.intercept_mode) {
    case config::InterceptMode::kAuto:
      return Redirect::Choice::kAuto;
    case config::InterceptMode::kEbpf:
      return Redirect::Choice::kEbpf;
    case config::InterceptMode::kNftables:
      return Redirect::Choice::kNftables;
  }
  return Redirect::Choice::kAuto;
}

// The state directory as a file name: what a daemon has again after a crash, and no other daemon
// has.
std::string instance_name(const std::string& state_directory) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(state_directory, error);
  std::string name = error ? state_directory : real.native();
  std::ranges::replace(name, '/', '-');
  constexpr std::size_t kLongest = 200;
  // The end of a long path says more than its beginning.
  if (name.size() > kLongest) name.erase(0, name.size() - kLongest);
  return "at" + name;
}

policy::SigningMode signing_mode(config::SigningMode mode) {
  switch (mode) {
    case config::SigningMode::kOff:
      return policy::SigningMode::kOff;
    case config::SigningMode::kWarn:
      return policy::SigningMode::kWarn;
    case config::SigningMode::kEnforce:
      return policy::SigningMode::kEnforce;
  }
  return policy::SigningMode::kEnforce;
}

}  // namespace

// In the order of construction; the destructor takes them down the other way round.
struct Daemon::State {
  explicit State(config::LoadedConfig loaded)
      : config(std::move(loaded)),
        approvals({values().approvals.enabled, values().approvals.timeout}) {}

  const config::ServerConfig& values() const { return config.values; }

  config::LoadedConfig config;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  bool rootless = false;
  Confinement confinement = Confinement::kNamespaces;
  rlimit inherited_descriptors{};
  std::string cgroup_base;
  boost::asio::io_context loop{1};
  std::unique_ptr<audit::Recorder> recorder;
  policy::ApprovalQueue approvals;
  std::unique_ptr<policy::PolicyStore> policies;
  std::unique_ptr<SessionTrust> trust;
  std::unique_ptr<Redirect> redirect;
  std::unique_ptr<net::Worker> launcher;
  std::unique_ptr<LlmService> llm;
  std::shared_ptr<Accounting> accounting;
  std::shared_ptr<gateway::KeyStore> gateway_keys;
  std::shared_ptr<secrets::SecretStore> secrets;
  std::unique_ptr<NetworkService> network;
  std::unique_ptr<GatewayService> gateway_service;
  std::unique_ptr<guard::GuardService> guard_service;
  std::unique_ptr<SessionRegistry> sessions;
  std::unique_ptr<CommandRunner> commands;
  std::unique_ptr<Authentication> authentication;
  std::unique_ptr<api::Server> api;
  std::unique_ptr<DirectoryWatch> policy_watch;
  int exit_code = 0;

  Result<> open_storage();
  Result<> check_protections() const;
  Result<> open_sandbox();
  Result<> open_accounting();
  Result<> open_network();
  Result<> open_gateway();
  Result<> open_guard();
  Result<> open_api();
  Result<> listen();
  LlmState llm_state() const;
  Result<> load_certificate();
  std::vector<std::string> own_paths() const;
  void report() const;
  void reload();
  void reload_certificate();

  static awaitable<void> wait_for_signals(State& state);
  static awaitable<void> expire_approvals(State& state);
  static awaitable<void> return_memory(State& state);
  static awaitable<void> shut_down(State& state);
};

Result<> Daemon::State::open_storage() {
  const auto& paths = values();
  const std::string socket_directory =
      std::filesystem::path(paths.server.unix_socket.path).parent_path();
  if (rootless) {
    if (auto made = make_private_directory(socket_directory, ::geteuid()); !made) return made;
  } else if (auto made = make_directories(socket_directory, 0755); !made) {
    return made;
  }
  if (auto made = make_directories(paths.server.state_dir, 0700); !made) return made;
  // What does not exist cannot be kept from a session, which could make it where we look later.
  if (rootless) {
    for (const std::string& directory : {default_paths().config_directory, paths.policies.dir}) {
      if (auto made = make_directories(directory, 0755); !made)
        log_info("server", "{}", made.error().what);
    }
  }
  auto opened = audit::Recorder::open(recorder_options(paths));
  if (!opened) return std::unexpected(with_context(opened.error(), "audit log"));
  recorder = std::move(*opened);
  policy::PolicyStoreOptions options;
  options.directories = policy_directories(paths);
  options.require_trusted_owner = !rootless;
  options.signing = signing_mode(paths.policies.signing_mode);
  options.trust_store = paths.policies.trust_store;
  policies = std::make_unique<policy::PolicyStore>(std::move(options));
  auto authority =
      SessionTrust::open({paths.server.state_dir + "/ca", paths.server.state_dir + "/trust",
                          paths.sandbox.network.upstream_ca_files});
  if (!authority) return std::unexpected(authority.error());
  trust = std::move(*authority);
  return {};
}

// Without Landlock every session is refused. Here that is said at once, as far as it was asked for.
Result<> Daemon::State::check_protections() const {
  const config::SecuritySection& security = values().security;
  if (confinement == Confinement::kMinimal || sandbox::LandlockRuleset::abi() > 0) return {};
  const std::string what =
      "the kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, and \"landlock\" in lsm=)";
  if (security.mode == config::SecurityMode::kFull ||
      security.mode == config::SecurityMode::kLandlockOnly || security.strict ||
      security.minimum_mode != config::SecurityMode::kMinimal) {
    return fail(what + ", which the configuration asks for (security.mode, strict, minimum_mode)",
                std::errc::not_supported);
  }
  if (security.warn_degraded) log_warning("session", "{}: sessions will be refused", what);
  return {};
}

// What the sessions of this host are made of, tried rather than assumed.
Result<> Daemon::State::open_sandbox() {
  if (auto enough = check_protections(); !enough) return enough;
  auto base = sandbox::Cgroup::base_directory(instance_name(values().server.state_dir));
  if (base) {
    cgroup_base = *base;
    // A daemon that was killed took its inits along; what it left are empty groups, or processes
    // that hang. The trail has to tell the end of these sessions.
    for (const std::string& name : sandbox::Cgroup::end_leftovers(cgroup_base)) {
      log_warning("session", "{}: ended what an earlier daemon left", name);
      audit::Event event("session_destroyed");
      event.session_id = name;
      event.source = "api";
      event.field("reason", std::string("left by a daemon that ended"));
      recorder->record(std::move(event));
    }
  } else {
    log_info("session", "no control groups: {}", base.error().what);
  }
  launcher = std::make_unique<net::Worker>("agentsh-launch");
  if (confinement != Confinement::kNamespaces) {
    redirect = Redirect::by_supervisor();
    return {};
  }
  auto chosen = Redirect::create(redirect_choice(values().sandbox.network),
                                 rootless ? std::string() : cgroup_base,
                                 [this](const bpf::KernelRefusal& refusal) {
                                   if (network) network->record_refusal(refusal);
                                 });
  if (!chosen) return std::unexpected(chosen.error());
  redirect = std::move(*chosen);
  return {};
}

// What LLM traffic uses, of sessions and of the gateway.
Result<> Daemon::State::open_accounting() {
  auto opened = Accounting::create(values(), *recorder, llm->shared().prices);
  if (!opened) return std::unexpected(opened.error());
  accounting = std::move(*opened);
  llm->set_ledger(Accounting::sink_of(accounting));
  llm->set_budgets([spending = accounting->spending()](const std::string& session_id) {
    return spending->for_session(session_id);
  });
  auto keys = gateway::KeyStore::open(values().server.state_dir + "/gateway-keys.json");
  if (!keys) return std::unexpected(keys.error());
  gateway_keys = std::move(*keys);
  return {};
}

Result<> Daemon::State::open_gateway() {
  auto opened =
      GatewayService::create({values(), *recorder, accounting, gateway_keys, *llm, secrets});
  if (!opened) return std::unexpected(opened.error());
  gateway_service = std::move(*opened);
  return {};
}

Result<> Daemon::State::open_guard() {
  auto opened = guard::GuardService::create({values(), *recorder, approvals, *policies, secrets});
  if (!opened) return std::unexpected(opened.error());
  guard_service = std::move(*opened);
  return {};
}

LlmState Daemon::State::llm_state() const {
  LlmState state;
  state.accounting = accounting;
  state.keys = gateway_keys;
  state.enabled = llm->enabled();
  state.mode = state.enabled ? "embedded" : "disabled";
  state.dlp_mode = dlp::to_string(mode_of(llm->shared().dlp.mode));
  state.detectors = [service = llm.get()] { return service->detectors(); };
  if (gateway_service != nullptr) {
    for (const Endpoint& address : gateway_service->addresses()) {
      state.gateway_addresses.push_back(address.to_string());
    }
  }
  return state;
}

Result<> Daemon::State::open_network() {
  auto understanding = LlmService::create(values());
  if (!understanding) return std::unexpected(understanding.error());
  llm = std::move(*understanding);
  if (auto counting = open_accounting(); !counting) return counting;
  secrets =
      std::make_shared<secrets::SecretStore>(secrets::SecretStore::Options{.reader = ::geteuid()});
  llm->set_secrets(secrets);
  auto service = NetworkService::create(values(), *recorder, secrets);
  if (!service) return std::unexpected(service.error());
  network = std::move(*service);
  auto programs = sandbox::build_seccomp_programs(confinement == Confinement::kNamespaces
                                                      ? sandbox::SocketRules::kOwnNetwork
                                                      : sandbox::SocketRules::kTcpClients);
  if (!programs) return std::unexpected(programs.error());
  auto notifier = sandbox::build_connect_notifier();
  if (!notifier) return std::unexpected(notifier.error());
  auto init = find_init_program();
  if (!init) return std::unexpected(init.error());
  sessions = std::make_unique<SessionRegistry>(
      loop.get_executor(),
      SessionRegistry::Services{
          values(), *recorder, approvals, *policies, *redirect, *network, *trust, *launcher,
          cgroup_base, *init, own_paths(), own_programs(), std::move(*programs), confinement,
          std::move(*notifier), inherited_descriptors, rootless,
          [this](Session& session) { return llm->inspectors_for(session.shared_gate()); },
          secrets});
  CommandRunner::Options options;
  options.default_timeout = std::chrono::nanoseconds(0);
  for (const auto& variable : values().sandbox.env_inject) options.inject.push_back(variable);
  options.recordings = values().sessions.base_dir;
  commands = std::make_unique<CommandRunner>(*recorder, std::move(options));
  return {};
}

Result<> Daemon::State::open_api() {
  auto opened = Authentication::create(values(), rootless);
  if (!opened) return std::unexpected(opened.error());
  authentication = std::move(*opened);
  api::Router router;
  add_session_routes(router, *sessions, *commands, *network);
  add_event_routes(router, *sessions, *recorder, loop.get_executor());
  add_policy_routes(router, *sessions, approvals, *policies, *trust, values());
  add_llm_routes(router, *sessions, *recorder, llm_state());
  add_health_routes(
      router,
      {started, *recorder, *sessions, std::string(to_string(redirect->mechanism())), accounting},
      values());
  api = std::make_unique<api::Server>(
      loop.get_executor(), std::move(router),
      [this](const api::Request& request, api::Caller& caller) {
        authentication->identify(request, caller);
      },
      api_options(values()));
  return {};
}

Result<> Daemon::State::listen() {
  const auto& server = values().server;
  if (server.unix_socket.enabled) {
    std::optional<gid_t> group;
    if (!server.unix_socket.group.empty()) {
      const struct group* entry = ::getgrnam(server.unix_socket.group.c_str());
      if (entry == nullptr)
        return fail("server.unix_socket.group: no such group: " + server.unix_socket.group);
      group = entry->gr_gid;
    }
    auto socket =
        api::listen_on_unix_socket(server.unix_socket.path, server.unix_socket.permissions, group);
    if (!socket) return std::unexpected(socket.error());
    if (auto served = api->serve_unix(std::move(*socket)); !served) return served;
  }
  if (server.http.address) {
    auto socket = net::listen_tcp(*server.http.address);
    if (!socket) return std::unexpected(socket.error());
    if (!server.tls.enabled) return api->serve_tcp(std::move(*socket));
    if (auto loaded = load_certificate(); !loaded) return loaded;
    return api->serve_tls(std::move(*socket));
  }
  return {};
}

// Of the control API. On failure the one before stays.
Result<> Daemon::State::load_certificate() {
  const config::ServerTlsConfig& tls = values().server.tls;
  auto chain = config::read_trusted_file(tls.cert_file, ::geteuid());
  if (!chain) return std::unexpected(with_context(chain.error(), "server.tls.cert_file"));
  auto key = config::read_secret_file(tls.key_file, ::geteuid());
  if (!key) return std::unexpected(with_context(key.error(), "server.tls.key_file"));
  auto certificate = certs::Leaf::from_pem(*chain, *key);
  if (!certificate) return std::unexpected(with_context(certificate.error(), "server.tls"));
  if ((*certificate)->not_after() < std::chrono::system_clock::now())
    log_warning("api", "{}: the certificate has expired", tls.cert_file);
  api->set_certificate(std::move(*certificate));
  return {};
}

std::vector<std::string> Daemon::State::own_paths() const {
  const DefaultPaths defaults = default_paths();
  std::vector<std::string> paths = {values().server.state_dir, values().server.unix_socket.path,
                                    values().audit.dir,        values().audit.key_file,
                                    values().logging.file,     defaults.config_directory,
                                    defaults.runtime_directory};
  for (std::string& directory : policy_directories(values())) paths.push_back(std::move(directory));
  for (const std::string& optional : {values().auth.keys_file, values().server.tls.key_file,
                                      values().policies.trust_store, config.file}) {
    if (!optional.empty()) paths.push_back(optional);
  }
  return paths;
}

void Daemon::State::report() const {
  log_info("server", "agentsh {} {} on {}, redirect by {}, Landlock ABI {}", kVersion,
           rootless ? "rootless" : "as root", values().server.unix_socket.path,
           to_string(redirect->mechanism()), sandbox::LandlockRuleset::abi());
  if (confinement != Confinement::kNamespaces && values().security.warn_degraded) {
    log_warning("server",
                "security.mode: sessions have no namespaces of their own; Landlock and seccomp "
                "hold them");
  }
  if (redirect->mechanism() == Mechanism::kNftables && !rootless) {
    log_info("server", "no eBPF redirect: {}", redirect->why_not_ebpf());
  }
}

void Daemon::State::reload() {
  log_info("policy", "looking at the policies again");
  sessions->reload_policies();
  if (gateway_service != nullptr) gateway_service->reload();
  if (guard_service != nullptr) guard_service->reload();
}

void Daemon::State::reload_certificate() {
  const auto& server = values().server;
  if (!server.tls.enabled || !server.http.address) return;
  if (auto loaded = load_certificate(); !loaded)
    log_error("api", "{}; the certificate before it stays", loaded.error().what);
}

awaitable<void> Daemon::State::wait_for_signals(State& state) {
  boost::asio::signal_set signals(state.loop, SIGTERM, SIGINT, SIGHUP);
  for (;;) {
    auto [error, signal] = co_await signals.async_wait(as_tuple(use_awaitable));
    if (error) co_return;
    if (signal == SIGHUP) {
      state.reload();
      state.reload_certificate();
      continue;
    }
    log_info("server", "ending on signal {}", signal);
    boost::asio::co_spawn(state.loop, shut_down(state), boost::asio::detached);
    co_return;
  }
}

awaitable<void> Daemon::State::expire_approvals(State& state) {
  boost::asio::steady_timer timer(state.loop);
  for (;;) {
    timer.expires_after(std::chrono::milliseconds(250));
    auto [error] = co_await timer.async_wait(as_tuple(use_awaitable));
    if (error) co_return;
    state.approvals.expire(std::chrono::steady_clock::now());
  }
}

// After a burst of connections glibc keeps what they had, between what is still in use. Asked only
// of a large process, because asking walks the free memory.
awaitable<void> Daemon::State::return_memory(State& state) {
  constexpr std::size_t kLargeProcess = 128u << 20;
  constexpr std::size_t kWorthIt = 64u << 20;
  boost::asio::steady_timer timer(state.loop);
  for (;;) {
    timer.expires_after(std::chrono::seconds(5));
    auto [error] = co_await timer.async_wait(as_tuple(use_awaitable));
    if (error) co_return;
    const std::size_t resident = resident_bytes();
    if (resident < kLargeProcess) continue;
    const struct mallinfo2 heap = ::mallinfo2();
    if (resident > heap.uordblks + heap.hblkhd + kWorthIt) ::malloc_trim(0);
  }
}

awaitable<void> Daemon::State::shut_down(State& state) {
  co_await state.sessions->destroy_all();
  co_await state.api->shutdown();
  ::unlink(state.values().server.unix_socket.path.c_str());
  state.loop.stop();
}

Daemon::Daemon(std::unique_ptr<State> state) : state_(std::move(state)) {}

Daemon::~Daemon() {
  // Workers hold connections that record events: they end before the recorder does.
  state_->api.reset();
  state_->gateway_service.reset();
  state_->guard_service.reset();
  state_->sessions.reset();
  state_->network.reset();
  if (!state_->cgroup_base.empty()) sandbox::Cgroup::remove_base(state_->cgroup_base);
}

Result<std::unique_ptr<Daemon>> Daemon::create(config::LoadedConfig config) {
  const rlimit inherited = raise_descriptor_limit();
  ::umask(022);
  auto state = std::make_unique<State>(std::move(config));
  state->inherited_descriptors = inherited;
  state->rootless = ::geteuid() != 0;
  state->confinement = confinement_of(state->values().security.mode);
  for (auto step : {&State::open_storage, &State::open_sandbox, &State::open_network,
                    &State::open_gateway, &State::open_guard, &State::open_api, &State::listen}) {
    if (auto done = (state.get()->*step)(); !done) return std::unexpected(done.error());
  }
  state->report();
  return std::unique_ptr<Daemon>(new Daemon(std::move(state)));
}

int Daemon::run(int ready_fd) {
  State& state = *state_;
  boost::asio::co_spawn(state.loop, State::wait_for_signals(state), boost::asio::detached);
  boost::asio::co_spawn(state.loop, State::expire_approvals(state), boost::asio::detached);
  boost::asio::co_spawn(state.loop, State::return_memory(state), boost::asio::detached);
  state.policy_watch = DirectoryWatch::create(
      state.loop.get_executor(), policy_directories(state.values()), [&state] { state.reload(); });
  if (ready_fd >= 0) {
    UniqueFd ready(ready_fd);
    // Whoever started us and does not wait any more does not matter.
    [[maybe_unused]] ssize_t ignored = ::write(ready.get(), "ready\n", 6);
  }
  state.loop.run();
  return state.exit_code;
}

}  // namespace agentsh
