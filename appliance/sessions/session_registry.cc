#include "appliance/sessions/session_registry.h"

#include "appliance/network/kernel_rules.h"
#include "appliance/secrets/reference.h"
#include "appliance/sessions/enforcement_warnings.h"
#include "appliance/sessions/filesystem_identity.h"
#include "appliance/sessions/one_time_event.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/random.h"
#include "policies/mount_plan.h"
#include "proxy/services/session_services.h"
#include "sandbox/landlock/ruleset.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace agentsh {
namespace {

using boost::asio::as_tuple;
using boost::asio::use_awaitable;

// May the user enter the directory and write there? Asked with the user's rights, or a session
// could show a directory that the user cannot reach.
Result<> check_access(const std::string& directory, const UserIdentity& user) {
  FilesystemIdentity identity(user);
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("workspace", directory));
  if (::faccessat(fd.get(), ".", X_OK, AT_EACCESS) != 0)
    return std::unexpected(errno_error("workspace", directory));
  // Rules, mounts and masks go by the path, so it has to be the directory's own.
  std::error_code error;
  const auto real = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd.get()), error);
  if (error || real != directory)
    return fail(fmt::format("workspace {}: is in truth {}; name that", directory, real.native()));
  return {};
}

bool is_directory_of(const std::string& path, uid_t uid) {
  struct stat status;
  return path.starts_with('/') && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == uid;
}

policy::Variables variables_of(const SessionDescription& description) {
  policy::Variables::Map map;
  map["PROJECT_ROOT"] = description.roots.project;
  if (!description.roots.git.empty()) map["GIT_ROOT"] = description.roots.git;
  map["WORKSPACE"] = description.workspace;
  map["HOME"] = description.user.home;
  map["USER"] = description.user.name;
  map["SESSION_ID"] = description.id;
  return policy::Variables(std::move(map));
}

// Loopback ports that do not stay in the session.
std::vector<std::uint16_t> redirected_ports(const SessionDescription& description,
                                            const policy::CompiledPolicy& compiled) {
  std::vector<std::uint16_t> ports = description.host_ports;
  if (!compiled.policy().http_services.empty()) ports.push_back(NetworkService::kServicePort);
  return ports;
}

bool contains_path(const std::string& directory, const std::string& path) {
  return path == directory || path.starts_with(directory + "/");
}

// The files that the policy's secrets are in, and a directory that holds them and is closed to
// others: a secret is often renewed by putting a new file in the old one's place.
std::vector<std::string> secret_paths(const policy::CompiledPolicy& compiled,
                                      const SessionDescription& description) {
  std::vector<std::string> paths;
  for (const std::string& file : secrets::files_of(compiled.policy())) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(file, error);
    if (error) continue;
    paths.push_back(real.native());
    const std::string directory = real.parent_path().native();
    struct stat status;
    const bool closed =
        ::stat(directory.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    if (closed && !contains_path(directory, description.workspace) &&
        !contains_path(directory, description.user.home)) {
      paths.push_back(directory);
    }
  }
  return paths;
}

}  // namespace

SessionRegistry::SessionRegistry(boost::asio::any_io_executor executor, Services services)
    : executor_(executor),
      services_(std::move(services)),
      reaper_(executor),
      changed_(executor, boost::asio::steady_timer::time_point::max()) {
  boost::asio::co_spawn(executor_, reap(), boost::asio::detached);
}

SessionRegistry::~SessionRegistry() = default;

Result<UserIdentity> SessionRegistry::user_for(const SessionRequest& request,
                                               const api::Caller& caller) const {
  UserIdentity user;
  if (services_.rootless) {
    user = identity_of(::geteuid(), ::getegid());
  } else if (caller.local) {
    user = identity_of(caller.uid, caller.gid);
  } else {
    auto nobody = identity_of(std::string("nobody"));
    if (!nobody) return std::unexpected(nobody.error());
    user = std::move(*nobody);
  }
  // A home other than the database's is believed where it is the user's own anyway.
  if (is_directory_of(request.home, user.uid)) user.home = request.home;
  return user;
}

boost::asio::awaitable<Result<std::shared_ptr<Session>>> SessionRegistry::create(
    SessionRequest request, api::Caller caller) {
  const auto limit = static_cast<std::size_t>(services_.config.sessions.max_sessions);
  if (sessions_.size() + creating_ >= limit) {
    co_return fail(
        fmt::format("{} sessions exist already (sessions.max_sessions); destroy one first", limit),
        std::errc::not_supported);
  }
  SessionDescription description;
  description.id = request.id.empty() ? make_session_id() : request.id;
  if (sessions_.contains(description.id)) {
    co_return fail(fmt::format("session {} exists already", description.id),
                   std::errc::file_exists);
  }
  auto user = user_for(request, caller);
  if (!user) co_return std::unexpected(user.error());
  description.user = std::move(*user);
  description.owner = caller.name;
  description.workspace = request.workspace;
  while (description.workspace.size() > 1 && description.workspace.ends_with('/'))
    description.workspace.pop_back();
  description.policy =
      request.policy.empty() ? services_.config.policies.default_policy : request.policy;
  const auto& allowed = services_.config.policies.allowed;
  if (!allowed.empty() && std::ranges::find(allowed, description.policy) == allowed.end()) {
    co_return fail(fmt::format("policy {} is not among policies.allowed", description.policy),
                   std::errc::permission_denied);
  }
  description.virtual_workspace =
      !request.real_paths.value_or(services_.config.sessions.real_paths);
  description.host_ports = request.host_ports;
  for (int port : services_.config.sandbox.network.host_ports) {
    description.host_ports.push_back(static_cast<std::uint16_t>(port));
  }
  description.roots =
      !request.project_root.empty() ? ProjectRoots{request.project_root, {}}
      : request.detect_project_root
          ? find_project_roots(description.workspace, description.user.home, description.user.uid)
          : ProjectRoots{description.workspace, {}};
  description.variables = variables_of(description);
  auto compiled = services_.policies.get(description.policy, description.variables);
  if (!compiled) co_return std::unexpected(compiled.error());

  ++creating_;
  auto parts = std::make_shared<Result<Session::Parts>>(fail("not launched"));
  auto launched = std::make_shared<OneTimeEvent>(executor_);
  services_.launcher.post([this, parts, launched, description, compiled = *compiled]() mutable {
    *parts = launch(std::move(description), std::move(compiled));
    boost::asio::post(executor_, [launched] { launched->fire(); });
  });
  co_await launched->wait();
  --creating_;
  if (!*parts) co_return std::unexpected(parts->error());
  if (sessions_.contains((*parts)->description.id)) {
    co_return fail(fmt::format("session {} exists already", (*parts)->description.id),
                   std::errc::file_exists);
  }
  auto session = std::make_shared<Session>(executor_, std::move(**parts));
  if (auto served =
          services_.network.open({session->shared_gate(), session->shared_ingress(),
                                  session->trust().leaves, session->description().host_ports,
                                  services_.inspectors(*session), session->http_services()});
      !served) {
    session->end(SessionState::kFailed);
    co_return std::unexpected(served.error());
  }
  sessions_[session->id()] = session;
  session->start([this, id = session->id()] { ended(id); });
  record(*session, "session_created");
  // A reload while it was launched did not find it.
  renew_policy(*session);
  co_return session;
}

// On the launcher's thread.
Result<Session::Parts> SessionRegistry::launch(
    SessionDescription description, std::shared_ptr<const policy::CompiledPolicy> compiled) {
  if (auto access = check_access(description.workspace, description.user); !access) {
    return std::unexpected(access.error());
  }
  Session::Parts parts;
  auto trust = services_.trust.current();
  parts.environment = trust->variables;
  parts.environment.emplace_back("AGENTSH_IN_SESSION", "1");
  parts.environment.emplace_back("AGENTSH_SESSION_ID", description.id);
  parts.trust = trust;
  auto view = view_of(description, *compiled, parts.warnings);
  if (!view) return std::unexpected(view.error());
  if (!view->own_namespaces) {
    parts.directory.emplace(description.user);
    if (auto done = use_private_directory(*view, parts); !done)
      return std::unexpected(done.error());
  }
  auto spec = build_session_spec(*view);
  if (!spec) return std::unexpected(spec.error());

  if (!services_.cgroup_base.empty()) {
    auto cgroup = sandbox::Cgroup::create(services_.cgroup_base, description.id);
    if (!cgroup) return std::unexpected(cgroup.error());
    parts.cgroup.emplace(std::move(*cgroup));
  }
  const auto& limits = compiled->policy().resource_limits;
  sandbox::CgroupLimits cgroup_limits;
  if (limits.max_memory_mb) cgroup_limits.memory_bytes = *limits.max_memory_mb << 20;
  cgroup_limits.pids = limits.pids_max;
  cgroup_limits.cpu_percent = limits.cpu_quota_percent;
  auto process = sandbox::SessionProcess::launch(
      *spec, services_.init_program,
      [&](sandbox::SessionSockets sockets, pid_t init) -> Result<sandbox::Proceed> {
        if (::prlimit(init, RLIMIT_NOFILE, &services_.descriptor_limit, nullptr) != 0)
          return std::unexpected(errno_error("prlimit", "RLIMIT_NOFILE"));
        if (!cgroup_limits.empty()) {
          if (parts.cgroup) {
            for (std::string& refused : parts.cgroup->apply_limits(cgroup_limits, init)) {
              parts.warnings.push_back("resource_limits: not enforced: " + refused);
            }
          } else {
            parts.warnings.emplace_back("resource_limits: not enforced: no cgroup here");
          }
          if (services_.config.security.strict && !parts.warnings.empty())
            return std::unexpected(refused_by_strict(parts.warnings));
        }
        auto ingress = Ingress::open(
            services_.redirect, std::move(sockets), init,
            {parts.cgroup ? parts.cgroup->directory_fd() : -1,
             redirected_ports(description, *compiled), kernel_rules(*compiled).rules});
        if (!ingress) return std::unexpected(ingress.error());
        parts.ingress = std::move(ingress->first);
        return std::move(ingress->second);
      },
      // Not before: the listeners' sockets must be outside of the group. The kernel takes some
      // milliseconds, in which init builds the file system.
      [&](pid_t init) { return parts.cgroup ? parts.cgroup->add(init) : Result<>(); });
  if (!process) return std::unexpected(process.error());
  parts.process = std::move(*process);
  if (!spec->own_namespaces) {
    std::vector<std::string> writable = spec->writable;
    writable.push_back(spec->private_directory);
    auto supervisor =
        ConnectSupervisor::start(parts.process->take_notifications(), parts.ingress,
                                 MetadataCalls(description.user, std::move(writable)));
    if (!supervisor) return std::unexpected(supervisor.error());
    parts.supervisor = std::move(*supervisor);
  }
  parts.gate = std::make_shared<policy::Gate>(description.id, compiled, services_.recorder,
                                              services_.approvals);
  parts.services = services::SessionServices::create(parts.gate, services_.secrets);
  parts.description = std::move(description);
  return parts;
}

// What other sessions have by mounts and by the redirect: directories for temporary files, the
// certificates that they trust, and that there is a proxy, which resolves names too.
Result<> SessionRegistry::use_private_directory(SessionView& view, Session::Parts& parts) const {
  const PrivateDirectory& directory = *parts.directory;
  view.private_directory = directory.path();
  for (const auto& [from, to] : {std::pair(parts.trust->bundle_file, directory.bundle()),
                                 std::pair(parts.trust->authority_file, directory.authority())}) {
    auto content = read_file(from, 16 << 20);
    if (!content) return std::unexpected(content.error());
    view.private_files.push_back({to, std::move(*content)});
  }
  // GnuTLS, which wget is built with, knows the host's store only.
  view.private_files.push_back(
      {directory.path() + "/wgetrc", "ca_certificate = " + directory.bundle() + "\n"});
  const auto set = [&](const std::string& name, const std::string& value) {
    std::erase_if(parts.environment, [&](const auto& variable) { return variable.first == name; });
    parts.environment.emplace_back(name, value);
  };
  for (const auto& [name, value] :
       TrustEpoch::variables_for(directory.bundle(), directory.authority())) {
    set(name, value);
  }
  set("WGETRC", directory.path() + "/wgetrc");
  for (const char* name : {"TMPDIR", "TMP", "TEMP"}) set(name, directory.path());
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}) {
    std::string small = name;
    std::ranges::transform(small, small.begin(), [](char letter) {
      return letter == '_' ? letter : static_cast<char>(letter | 0x20);
    });
    set(name, NetworkService::proxy_url());
    set(small, NetworkService::proxy_url());
  }
  for (const char* name : {"NO_PROXY", "no_proxy"}) set(name, "");
  return {};
}

Result<SessionView> SessionRegistry::view_of(const SessionDescription& description,
                                             const policy::CompiledPolicy& compiled,
                                             std::vector<std::string>& warnings) const {
  SessionView view;
  view.id = description.id;
  view.user = description.user;
  const bool own_namespaces = services_.confinement == Confinement::kNamespaces;
  view.own_namespaces = own_namespaces;
  view.own_user_namespace = services_.rootless && own_namespaces;
  view.require_landlock = services_.confinement != Confinement::kMinimal;
  view.notifier_program = services_.notifier_program;
  view.workspace = description.workspace;
  view.virtual_workspace = description.virtual_workspace;
  view.own_paths = services_.own_paths;
  view.own_programs = services_.own_programs;
  view.seccomp_programs = services_.seccomp_programs;
  view.trust = services_.trust.current()->mounts;
  const policy::MountPlan plan = policy::plan_mounts(compiled, description.workspace);
  view.workspace_writable = plan.workspace_writable;
  view.writable = plan.writable;
  view.read_only = plan.read_only;
  for (const auto& masked : plan.masked) view.masked.push_back(masked.path);
  for (std::string& path : secret_paths(compiled, description)) {
    view.masked.push_back(std::move(path));
  }
  warnings = enforcement_warnings(
      compiled, description.workspace,
      {.bpf = services_.redirect.mechanism() == Mechanism::kEbpf,
       .nftables = services_.redirect.mechanism() == Mechanism::kNftables,
       .connect_supervisor = services_.redirect.mechanism() == Mechanism::kSupervisor,
       .mounts = own_namespaces,
       .landlock = sandbox::LandlockRuleset::abi() > 0,
       // Limits that are refused are told when they are applied.
       .cgroup_memory = true,
       .cgroup_pids = true,
       .cgroup_cpu = true});
  if (services_.config.security.strict && !warnings.empty())
    return std::unexpected(refused_by_strict(warnings));
  return view;
}

std::shared_ptr<Session> SessionRegistry::find(std::string_view id,
                                               const api::Caller& caller) const {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return nullptr;
  const bool own = caller.role == api::Role::kAdmin || !caller.local ||
                   found->second->description().owner == caller.name;
  return own ? found->second : nullptr;
}

std::vector<std::shared_ptr<Session>> SessionRegistry::list(const api::Caller& caller) const {
  std::vector<std::shared_ptr<Session>> visible;
  for (const auto& [id, session] : sessions_) {
    if (find(id, caller)) visible.push_back(session);
  }
  return visible;
}

void SessionRegistry::ended(const std::string& id) {
  auto node = sessions_.extract(id);
  if (node.empty()) return;
  Session& session = *node.mapped();
  services_.approvals.abandon_session(id);
  services_.network.close(id);
  record(session,
         session.state() == SessionState::kTimedOut ? "session_expired" : "session_destroyed");
  changed_.cancel();
}

boost::asio::awaitable<void> SessionRegistry::destroy(std::shared_ptr<Session> session,
                                                      SessionState state) {
  session->end(state);
  while (sessions_.contains(session->id())) {
    co_await changed_.async_wait(as_tuple(use_awaitable));
  }
}

boost::asio::awaitable<void> SessionRegistry::destroy_all() {
  for (const auto& [id, session] : sessions_) session->end(SessionState::kCompleted);
  while (!sessions_.empty()) co_await changed_.async_wait(as_tuple(use_awaitable));
}

boost::asio::awaitable<void> SessionRegistry::reap() {
  const auto interval = std::min<std::chrono::nanoseconds>(
      services_.config.sessions.cleanup_interval, std::chrono::seconds(5));
  for (;;) {
    reaper_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(interval));
    auto [error] = co_await reaper_.async_wait(as_tuple(use_awaitable));
    if (error) co_return;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& [id, session] : sessions_) {
      if (auto why = session->overdue(now, services_.config.sessions.default_timeout,
                                      services_.config.sessions.default_idle_timeout)) {
        log_info("session", "{}: {}", id, *why);
        session->end(SessionState::kTimedOut);
      }
    }
  }
}

void SessionRegistry::reload_policies() {
  std::map<std::string, std::string> rejected;
  for (const auto& [name, outcome] : services_.policies.reload_all()) {
    if (outcome) continue;
    log_error("policy", "{} keeps its old text: {}", name, outcome.error().what);
    rejected[name] = outcome.error().what;
  }
  for (const auto& [id, session] : sessions_) {
    const std::string& name = session->description().policy;
    if (auto bad = rejected.find(name); bad != rejected.end()) {
      record(*session, "policy_rejected", bad->second);
      continue;
    }
    renew_policy(*session);
  }
}

// Gives a session the policy of its name as it is loaded now.
void SessionRegistry::renew_policy(Session& session) {
  auto compiled =
      services_.policies.get(session.description().policy, session.description().variables);
  if (!compiled) {
    log_error("policy", "session {} keeps its policy: {}", session.id(), compiled.error().what);
    record(session, "policy_rejected", compiled.error().what);
    return;
  }
  if (*compiled == session.gate().policy()) return;
  session.gate().set_policy(*compiled);
  if (auto done = session.ingress().set_static_rules(kernel_rules(**compiled).rules); !done) {
    log_error("policy", "session {}: {}", session.id(), done.error().what);
  }
  record(session, "policy_updated");
}

void SessionRegistry::record(const Session& session, std::string type, std::string reason) {
  audit::Event event(std::move(type));
  event.session_id = session.id();
  event.source = "api";
  event.path = session.description().workspace;
  event.field("policy", session.description().policy).field("owner", session.description().owner);
  event.field("uid", std::int64_t{session.description().user.uid});
  if (!reason.empty()) event.field("reason", std::move(reason));
  services_.recorder.record(std::move(event));
}

}  // namespace agentsh
