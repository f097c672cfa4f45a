#include "appliance/config/checks.h"

#include "appliance/config/unenforced.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <map>

namespace agentsh::config {
namespace {

using policy::Diagnostic;
using policy::Severity;

// Reports at the place where a key was set, or at the file as a whole.
class Reporter {
 public:
  Reporter(const LoadedConfig& config, std::vector<Diagnostic>& problems)
      : config_(config), problems_(problems) {}

  void error(std::string_view path, std::string message) {
    report(Severity::kError, path, path, std::move(message));
  }
  void warning(std::string_view path, std::string message) {
    report(Severity::kWarning, path, path, std::move(message));
  }
  // About `path`, at the place of the key `at`.
  void report(Severity severity, std::string_view path, std::string_view at, std::string message) {
    const Origin origin = config_.origin(at);
    Diagnostic problem{.severity = severity, .key = std::string(path)};
    problem.file = origin.kind == Origin::Kind::kDefault ? fallback() : origin.to_text();
    if (origin.kind == Origin::Kind::kFile) {
      problem.file = origin.name;
      problem.where = origin.where;
    }
    problem.message = std::move(message);
    problems_.push_back(std::move(problem));
  }
  bool is_set(std::string_view path) const { return config_.find(path) != nullptr; }

 private:
  std::string fallback() const { return config_.file.empty() ? "configuration" : config_.file; }

  const LoadedConfig& config_;
  std::vector<Diagnostic>& problems_;
};

bool is_loopback(const Endpoint& endpoint) {
  return classify(endpoint.address) == AddressClass::kLoopback;
}

void check_tls(const ServerSection& server, Reporter& reporter) {
  if (server.tls.enabled && (server.tls.cert_file.empty() || server.tls.key_file.empty())) {
    reporter.error("server.tls.enabled", "needs server.tls.cert_file and server.tls.key_file");
  }
  if (!server.tls.enabled && !reporter.is_set("server.tls.enabled") &&
      !server.tls.cert_file.empty()) {
    reporter.warning("server.tls.cert_file", "has no effect without server.tls.enabled: true");
  }
  if (server.tls.enabled && !server.http.address) {
    reporter.warning("server.tls.enabled", "has no effect without server.http.addr");
  }
  if (server.http.address && !server.tls.enabled && !is_loopback(*server.http.address)) {
    reporter.warning("server.http.addr",
                     "API keys cross the network in clear text: set server.tls, or listen on "
                     "127.0.0.1 behind something that speaks TLS");
  }
}

void check_listeners(const ServerSection& server, Reporter& reporter) {
  if (server.state_dir.empty()) reporter.error("server.state_dir", "must not be empty");
  if (!server.unix_socket.enabled && !server.http.address) {
    reporter.error("server.unix_socket.enabled",
                   "without it and without server.http.addr nobody can talk to the daemon");
  }
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  const std::string& path = server.unix_socket.path;
  if (path.empty() || path.size() > kLongest) {
    reporter.error("server.unix_socket.path",
                   fmt::format("must have 1 to {} bytes, has {}", kLongest, path.size()));
  }
  if ((server.unix_socket.permissions & S_IWOTH) != 0) {
    reporter.warning("server.unix_socket.permissions",
                     "lets every user of this machine talk to the daemon");
  }
  check_tls(server, reporter);
}

void check_auth(const ServerConfig& config, Reporter& reporter) {
  const AuthType type = config.auth.type;
  const bool keys = type == AuthType::kApiKey || type == AuthType::kHybrid;
  if (keys && config.auth.keys_file.empty()) {
    reporter.error("auth.type", "needs auth.api_key.keys_file");
  }
  if (config.server.http.address && !keys) {
    reporter.error("server.http.addr",
                   "needs auth.type: api_key, because on TCP nobody is known otherwise; without "
                   "server.http.addr the control API is on the Unix socket only");
  }
}

void check_policies(const LoadedConfig& config, Reporter& reporter) {
  const PoliciesSection& policies = config.values.policies;
  const bool allowed =
      std::ranges::find(policies.allowed, policies.default_policy) != policies.allowed.end();
  // A variable may come from whoever started the daemon: it chooses among what the file allows.
  const bool by_variable = config.origin("policies.default").kind == Origin::Kind::kEnvironment;
  if (!allowed && (by_variable || !policies.allowed.empty())) {
    reporter.error("policies.default",
                   fmt::format("\"{}\" is not in policies.allowed", policies.default_policy));
  }
  if (policies.signing_mode != SigningMode::kOff && policies.trust_store.empty()) {
    reporter.error("policies.signing.mode", "needs policies.signing.trust_store");
  }
}

// How much a mode protects.
int rank(SecurityMode mode) {
  switch (mode) {
    case SecurityMode::kAuto:
    case SecurityMode::kFull:
      return 4;
    case SecurityMode::kLandlock:
      return 3;
    case SecurityMode::kLandlockOnly:
      return 2;
    case SecurityMode::kMinimal:
      return 1;
  }
  return 0;
}

void check_security(const SecuritySection& security, Reporter& reporter) {
  if (security.mode == SecurityMode::kLandlock) {
    reporter.error(
        "security.mode",
        "landlock is Landlock with a FUSE file system, which this version does not have; "
        "landlock-only needs neither FUSE nor namespaces");
  }
  if (rank(security.mode) < rank(security.minimum_mode)) {
    reporter.error("security.mode", "is less than security.minimum_mode");
  }
}

void settle_intercept_mode(NetworkSection& network, Reporter& reporter) {
  if (network.ebpf_required && !network.ebpf_enabled) {
    reporter.error("sandbox.network.ebpf.required", "contradicts sandbox.network.ebpf.enabled");
    return;
  }
  if (network.ebpf_required) {
    if (network.intercept_mode == InterceptMode::kNftables) {
      reporter.error("sandbox.network.ebpf.required",
                     "contradicts sandbox.network.intercept_mode: nftables");
    }
    network.intercept_mode = InterceptMode::kEbpf;
  }
  if (!network.ebpf_enabled) {
    if (network.intercept_mode == InterceptMode::kEbpf) {
      reporter.error("sandbox.network.ebpf.enabled",
                     "contradicts sandbox.network.intercept_mode: ebpf");
    }
    network.intercept_mode = InterceptMode::kNftables;
  }
}

void check_without_effect(const ServerConfig& config, Reporter& reporter) {
  if (!config.sandbox.network.upstream_proxy_bypass.empty() &&
      config.sandbox.network.upstream_proxy.host.empty()) {
    reporter.warning("sandbox.network.upstream_proxy.bypass",
                     "has no effect without sandbox.network.upstream_proxy.url");
  }
  if (reporter.is_set("audit.fsync_interval") && config.audit.fsync != audit::Fsync::kInterval) {
    reporter.warning("audit.fsync_interval", "has no effect without audit.fsync: interval");
  }
}

// Does one of the blank-separated conditions ("key=value" below the row's path, or "=value") hold?
bool is_off(const Unenforced& row, const LoadedConfig& config) {
  std::string_view conditions = row.off;
  while (!conditions.empty()) {
    const std::size_t end = std::min(conditions.find(' '), conditions.size());
    const std::string_view condition = conditions.substr(0, end);
    const std::size_t equals = condition.find('=');
    std::string path(row.path);
    if (equals > 0) path += "." + std::string(condition.substr(0, equals));
    const SetKey* key = config.find(path);
    if (key != nullptr && key->text == condition.substr(equals + 1)) return true;
    conditions.remove_prefix(std::min(end + 1, conditions.size()));
  }
  return false;
}

std::string describe(const Unenforced& row, const std::vector<const SetKey*>& keys, bool strict) {
  std::string text = strict ? "known, but this version does not enforce it, and security.strict is "
                              "on"
                            : "known, not enforced by this version";
  if (keys.size() > 1) {
    constexpr std::size_t kShown = 4;
    std::vector<std::string_view> names;
    for (const SetKey* key : keys) {
      if (names.size() == kShown) break;
      std::string_view name = key->path;
      if (name.size() > row.path.size()) name.remove_prefix(row.path.size());
      if (name.starts_with('.')) name.remove_prefix(1);
      names.push_back(name);
    }
    text += fmt::format(" (set: {}", fmt::join(names, ", "));
    if (keys.size() > kShown) text += fmt::format(" and {} more", keys.size() - kShown);
    text += ")";
  }
  return fmt::format("{}: {}", text, row.note);
}

}  // namespace

void check_consistency(LoadedConfig& config, std::vector<Diagnostic>& problems) {
  Reporter reporter(config, problems);
  check_listeners(config.values.server, reporter);
  check_auth(config.values, reporter);
  check_policies(config, reporter);
  check_security(config.values.security, reporter);
  settle_intercept_mode(config.values.sandbox.network, reporter);
  check_without_effect(config.values, reporter);
}

void check_enforced(LoadedConfig& config, std::vector<Diagnostic>& problems) {
  std::map<const Unenforced*, std::vector<const SetKey*>> rows;
  for (SetKey& key : config.set) {
    key.unenforced = find_unenforced(key.path, key.text);
    if (key.unenforced == nullptr) continue;
    if (is_off(*key.unenforced, config)) {
      key.unenforced = nullptr;
    } else if (config.find(key.path) == &key) {
      rows[key.unenforced].push_back(&key);
    }
  }
  Reporter reporter(config, problems);
  const bool strict = config.values.security.strict;
  for (const auto& [row, keys] : rows) {
    reporter.report(strict ? Severity::kError : Severity::kWarning,
                    keys.size() == 1 ? keys.front()->path : std::string(row->path),
                    keys.front()->path, describe(*row, keys, strict));
  }
}

}  // namespace agentsh::config
