#include "appliance/config/unenforced.h"

namespace agentsh::config {
namespace {

constexpr std::string_view kDisabled = "enabled=false";

constexpr Unenforced kUnenforced[] = {
    {"platform", "this is the Linux build", "mode=auto mode=linux"},

    {"server.grpc", "there is no gRPC listener; every call is in the HTTP API", kDisabled},
    {"server.tls.ca_file", "client certificates are not asked for; use API keys"},
    {"auth.type", "OIDC tokens are not accepted, only API keys", {}, "oidc hybrid"},
    {"auth.oidc", "OIDC tokens are not accepted, only API keys"},

    {"logging.format", "the log is text", "=text"},
    {"logging.output", "the log goes to standard error, or to logging.file", "=stderr"},
    {"logging.rotation",
     "logging.file is turned over at 4 MB; rotate standard error where it goes"},

    {"audit.enabled", "the trail is always written", "=true"},
    {"audit.output", "the trail is written to segments in audit.dir"},
    {"audit.rotation.max_age_days", "segments are deleted by number: audit.rotation.max_backups",
     "=0"},
    {"audit.rotation.compress", "segments are not compressed", "=false"},
    {"audit.storage", "the index is in audit.dir and sized by itself"},
    {"audit.storage.enabled", "the index is always kept", "=true"},
    {"audit.integrity.enabled", "every line is chained", "=true"},
    {"audit.integrity.algorithm", "lines are chained by HMAC-SHA-256", "=hmac-sha256"},
    {"audit.integrity.key_source", "the key is read from audit.integrity.key_file", "=file"},
    {"audit.integrity.key_env", "the key is read from audit.integrity.key_file"},
    {"audit.integrity.aws_kms", "the key is read from audit.integrity.key_file"},
    {"audit.integrity.azure_keyvault", "the key is read from audit.integrity.key_file"},
    {"audit.integrity.hashicorp_vault", "the key is read from audit.integrity.key_file"},
    {"audit.integrity.gcp_kms", "the key is read from audit.integrity.key_file"},
    {"audit.encryption", "the trail is not encrypted; use an encrypted filesystem", kDisabled},
    {"audit.webhook", "events are not posted anywhere"},
    {"audit.otel", "events are not exported", kDisabled},
    {"audit.watchtower", "events are not exported", kDisabled},

    {"sessions.checkpoints", "files are not checkpointed", kDisabled},

    {"sandbox.enabled", "sessions are always confined", "=true"},
    {"sandbox.allow_degraded", "security.mode, strict and minimum_mode say what may be missing",
     "=true"},
    {"sandbox.limits", "limits are set by the policy's resource_limits"},
    {"sandbox.fuse", "files are protected by mounts and Landlock, not by FUSE", kDisabled},
    {"sandbox.network.proxy_port", "the proxy listens inside each session's own network"},
    {"sandbox.network.dns_port", "the DNS service listens inside each session's own network"},
    {"sandbox.network.proxy_listen_addr", "the proxy listens inside each session's own network"},
    {"sandbox.network.intercept_mode", "everything is intercepted", {}, "tcp_only monitor"},
    {"sandbox.network.tls_inspection.ca_cert",
     "the authority is in the ca folder of the state directory"},
    {"sandbox.network.tls_inspection.ca_key",
     "the authority is in the ca folder of the state directory"},
    {"sandbox.network.transparent.enabled", "interception is always transparent", "=true"},
    {"sandbox.network.transparent.subnet_base", "sessions need no subnet of the host"},
    {"sandbox.network.rate_limits", "requests are not limited", kDisabled},
    {"sandbox.network.ebpf.enforce", "eBPF programs always enforce", "=true"},
    {"sandbox.network.ebpf.enforce_without_dns", "names never loosen what eBPF enforces", "=true"},
    {"sandbox.network.ebpf.resolve_rdns", "names come from the session's own look-ups", "=false"},
    {"sandbox.network.ebpf.map_allow_entries", "maps are sized by the policy"},
    {"sandbox.network.ebpf.map_deny_entries", "maps are sized by the policy"},
    {"sandbox.network.ebpf.map_lpm_entries", "maps are sized by the policy"},
    {"sandbox.network.ebpf.map_lpm_deny_entries", "maps are sized by the policy"},
    {"sandbox.network.ebpf.map_default_entries", "maps are sized by the policy"},
    {"sandbox.network.ebpf.dns_refresh_seconds", "names are looked up when a session asks"},
    {"sandbox.network.ebpf.dns_max_ttl_seconds", "names are looked up when a session asks"},
    {"sandbox.cgroups.enabled", "every session has a cgroup", "=true"},
    {"sandbox.cgroups.base_path", "cgroups are made below the daemon's own"},
    {"sandbox.cgroups.best_effort", "a limit that cannot be applied is reported, not skipped",
     "=false"},
    {"sandbox.unix_sockets.enabled", "no Unix socket of the host is in a session's view", "=true"},
    {"sandbox.unix_sockets.wrapper_bin", "there is no wrapper program"},
    {"sandbox.seccomp.enabled", "the seccomp filter is always installed", "=true"},
    {"sandbox.seccomp.mode", "the seccomp filter always enforces", "=enforce"},
    {"sandbox.seccomp.wait_killable", "no system call waits for the daemon"},
    {"sandbox.seccomp.unix_socket", "no Unix socket of the host is in a session's view"},
    {"sandbox.seccomp.syscalls", "the list of forbidden system calls is built in"},
    {"sandbox.seccomp.blocked_socket_families", "the list of allowed families is built in"},
    {"sandbox.seccomp.socket_rules", "the list of allowed families and protocols is built in"},
    {"sandbox.seccomp.mitigation_sets", "the list of forbidden system calls is built in"},
    {"sandbox.seccomp.mitigation_dirs", "the list of forbidden system calls is built in"},
    {"sandbox.seccomp.execve", "commands are decided when they are started, not what they start",
     kDisabled},
    {"sandbox.seccomp.shellc", "commands are decided when they are started, not what they start"},
    {"sandbox.seccomp.file_monitor", "files are protected by mounts and Landlock", kDisabled},
    {"sandbox.xpc", "this is the Linux build", kDisabled},
    {"sandbox.ptrace", "ptrace is not used", kDisabled},
    {"sandbox.mcp", "the policy's mcp_rules decide on MCP", "enforce_policy=false"},
    {"sandbox.wrap_env_policy", "the policy's env_policy always applies", "enabled=true"},

    {"policies.manifest_path", "use policies.signing"},
    {"policies.env_policy", "use the policy's env_policy"},
    {"policies.env_shim_path", "there is no preloaded library"},
    {"policies.reload_interval", "a policy is read again as soon as its file changes"},
    {"policies.detect_project_root", "the workspace is the project root", "=false"},
    {"policies.project_markers", "the workspace is the project root", "=[]"},
    {"mount_profiles", "a session has one policy"},

    {"approvals.mode",
     "requests are answered by `agentsh approve` and the API",
     {},
     "local_tty totp webauthn dialog"},
    {"approvals.webauthn", "requests are answered by `agentsh approve` and the API"},

    {"development.debug", "use logging.level: debug", "=false"},
    {"development.disable_auth", "authentication cannot be switched off", "=false"},
    {"development.disable_policy", "the policy cannot be switched off; use the observe pack",
     "=false"},
    {"development.verbose_errors", "errors are always complete", "=true"},
    {"development.pprof", "there is no profiling listener", kDisabled},

    {"proxy.port", "LLM APIs are reached at their own names, through the transparent proxy", "=0"},
    {"proxy.rate_limits.request_burst", "a minute's requests may come at once"},
    {"proxy.rate_limits.token_burst", "a minute's tokens may be used at once"},
    {"llm_storage.store_bodies", "bodies of LLM requests are never stored, only their hashes",
     "=false"},
    {"landlock", "Landlock's rules are built in"},
    {"landlock.enabled", "Landlock is used wherever it works", "=true"},
    {"capabilities", "sessions have no capabilities"},
    {"capabilities.allow", "sessions have no capabilities", "=[]"},
    {"threat_feeds", "no feeds are read", kDisabled},
    {"tor", "there are no rules for Tor; hosts and ports are the policy's", kDisabled},
    {"package_checks", "packages are not checked", kDisabled},
    {"skillcheck", "skills are not scanned", kDisabled},
    {"policy_socket", "this is the Linux build"},
};

bool covers(std::string_view block, std::string_view path) {
  return path.starts_with(block) &&
         (path.size() == block.size() || path[block.size()] == '.' || path[block.size()] == '[');
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = words.find(' ');
    if (words.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

std::span<const Unenforced> unenforced_keys() {
  return kUnenforced;
}

const Unenforced* find_unenforced(std::string_view path, std::string_view value) {
  const Unenforced* best = nullptr;
  for (const Unenforced& row : kUnenforced) {
    if (!covers(row.path, path)) continue;
    if (!row.only.empty() && !has_word(row.only, value)) continue;
    if (best == nullptr || row.path.size() > best->path.size()) best = &row;
  }
  return best;
}

}  // namespace agentsh::config
