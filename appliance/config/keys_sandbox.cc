// Keys of what confines and records: sandbox, network path, security mode, audit trail.
#include "appliance/config/schema.h"
#include "base/domain.h"

namespace agentsh::config {
namespace {

using policy::Word;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The last three are agentsh's: everything is intercepted in any case.
constexpr Word<InterceptMode> kInterceptModes[] = {
    {"auto", InterceptMode::kAuto},         {"ebpf", InterceptMode::kEbpf},
    {"nftables", InterceptMode::kNftables}, {"all", InterceptMode::kAuto},
    {"tcp_only", InterceptMode::kAuto},     {"monitor", InterceptMode::kAuto}};
constexpr Word<DenyRcode> kDenyRcodes[] = {{"nxdomain", DenyRcode::kNxDomain},
                                           {"refused", DenyRcode::kRefused},
                                           {"servfail", DenyRcode::kServFail}};
constexpr Word<SecurityMode> kSecurityModes[] = {{"auto", SecurityMode::kAuto},
                                                 {"full", SecurityMode::kFull},
                                                 {"landlock", SecurityMode::kLandlock},
                                                 {"landlock-only", SecurityMode::kLandlockOnly},
                                                 {"minimal", SecurityMode::kMinimal}};
constexpr Word<SecurityMode> kMinimumModes[] = {{"minimal", SecurityMode::kMinimal},
                                                {"landlock-only", SecurityMode::kLandlockOnly},
                                                {"landlock", SecurityMode::kLandlock},
                                                {"full", SecurityMode::kFull}};
constexpr Word<audit::Fsync> kFsyncModes[] = {{"never", audit::Fsync::kNever},
                                              {"interval", audit::Fsync::kInterval},
                                              {"always", audit::Fsync::kAlways}};
constexpr Word<audit::Backpressure> kBackpressure[] = {{"block", audit::Backpressure::kBlock},
                                                       {"count", audit::Backpressure::kCount}};
constexpr Word<WriteError> kWriteErrors[] = {{"continue", WriteError::kContinue},
                                             {"deny", WriteError::kDeny}};

std::string check_host(std::string_view text) {
  std::string_view host = text;
  if (host.starts_with("*.")) host.remove_prefix(2);
  return canonical_host(host) ? "" : "a host name, or \"*.\" and one for everything below it";
}

std::string check_host_or_network(std::string_view text) {
  return check_host(text).empty() || Cidr::parse(text)
             ? ""
             : "a host name, \"*.\" and a host name, or a network such as 10.0.0.0/8";
}

void add_timeout_keys(Schema& schema, ProxyTimeouts& timeouts) {
  const std::string block = "sandbox.network.timeouts.";
  schema.add(block + "connect", duration_field(timeouts.connect, milliseconds(100), minutes(10)),
             "How long connecting to a destination may take.");
  schema.add(block + "handshake",
             duration_field(timeouts.handshake, milliseconds(100), minutes(10)),
             "How long a TLS handshake may take, on either side.");
  schema.add(block + "request_head",
             duration_field(timeouts.request_head, milliseconds(100), minutes(10)),
             "How long the first line and the header of a request may take to arrive.");
  schema.add(block + "idle", duration_field(timeouts.idle, seconds(1), hours(24 * 7)),
             "A client's connection on which no request comes for this time is closed.");
  schema.add(block + "body", duration_field(timeouts.body, seconds(0), hours(24 * 7)),
             "A response of which no more comes for this time is broken off; 0 for no limit. "
             "Server-sent events and WebSockets may be silent.");
  schema.add(block + "dns", duration_field(timeouts.dns, milliseconds(100), minutes(1)),
             "How long resolvers have for an answer, all attempts together.");
}

void add_upstream_keys(Schema& schema, NetworkSection& network) {
  const std::string block = "sandbox.network.";
  schema.add(block + "resolvers", endpoint_list_field(network.resolvers, 53),
             "The DNS servers that names are resolved by; empty for those of /etc/resolv.conf.");
  schema.add(block + "upstream_ca_files", path_list_field(network.upstream_ca_files),
             "Certificate authorities (PEM) that servers may have beside those of the system.");
  schema.add(block + "upstream_proxy.url", upstream_proxy_field(network.upstream_proxy),
             "A proxy that all TCP connections to the outside are made through, by CONNECT.");
  schema.add(
      block + "upstream_proxy.bypass",
      text_list_field(network.upstream_proxy_bypass, "hosts and networks", check_host_or_network),
      "Destinations that are reached without it.");
  schema.add(block + "host_ports", integer_list_field(network.host_ports, 1, 65535),
             "Ports of this machine's localhost that every session reaches at its own localhost, "
             "as far as its policy allows.");
}

void add_network_keys(Schema& schema, NetworkSection& network) {
  const std::string block = "sandbox.network.";
  schema.add(block + "enabled", flag_field(network.enabled),
             "Let sessions use the network through the proxy. Otherwise they have none.");
  schema.add(block + "intercept_mode", word_field(network.intercept_mode, kInterceptModes),
             "How connections are redirected to the proxy: by eBPF programs, by nftables, or by "
             "what works on this machine, eBPF first. all means auto.");
  schema.add(block + "ebpf.enabled", flag_field(network.ebpf_enabled),
             "False is intercept_mode: nftables.");
  schema.add(block + "ebpf.required", flag_field(network.ebpf_required),
             "True is intercept_mode: ebpf, which fails where eBPF does not work.");
  schema.add(block + "threads", integer_field(network.threads, 0, 256),
             "Threads of the proxy; 0 for one per processor.");
  schema.add(block + "tls_inspection.enabled", flag_field(network.tls_inspection),
             "Open TLS towards the session with certificates of our own authority, which is in the "
             "state directory (`agentsh ca export`). Otherwise only names are checked and bytes "
             "pass as they are.");
  schema.add(block + "tls_passthrough",
             text_list_field(network.tls_passthrough, "hosts", check_host),
             "Hosts whose TLS is never opened, because their clients pin a certificate.");
  schema.add(block + "deny_rcode", word_field(network.deny_rcode, kDenyRcodes),
             "What questions about refused names are answered. nxdomain ends the matter for every "
             "client; many take refused and servfail for a passing failure and try again.");
  add_upstream_keys(schema, network);
  add_timeout_keys(schema, network.timeouts);
}

}  // namespace

void add_sandbox_keys(Schema& schema, ServerConfig& config) {
  add_network_keys(schema, config.sandbox.network);
  schema.add("sandbox.env_inject", secret_map_field(config.sandbox.env_inject),
             "Environment variables of every command, whatever the policy says of them.");
  SecuritySection& security = config.security;
  schema.add("security.mode", word_field(security.mode, kSecurityModes),
             "What holds a session. auto and full: namespaces, mounts, Landlock and seccomp, or it "
             "is refused; full says so when the daemon starts. landlock-only: Landlock and seccomp "
             "in the host's namespaces, with TCP through the proxy as the only way out. minimal: "
             "the same, also where the kernel has no Landlock.");
  schema.add("security.strict", flag_field(security.strict),
             "Refuse to start when a protection of security.mode is missing, or when a key is set "
             "that this version does not enforce.");
  schema.add("security.minimum_mode", word_field(security.minimum_mode, kMinimumModes),
             "Refuse to start when security.mode: auto would choose less than this.");
  schema.add("security.warn_degraded", flag_field(security.warn_degraded),
             "Write a warning for each protection that is missing.");
}

void add_audit_keys(Schema& schema, ServerConfig& config) {
  AuditSection& audit = config.audit;
  schema.add_state_path("audit.dir", audit.dir, "audit",
                        "The audit trail: chained JSONL segments and an SQLite index.");
  schema.add("audit.rotation.max_size_mb", integer_field(audit.segment_size_mb, 1, 100'000),
             "A segment is closed at this size.");
  schema.add("audit.rotation.max_backups", integer_field(audit.max_segments, 0, 1'000'000),
             "The oldest segment is deleted when there are more; 0 keeps all.");
  schema.add_state_path("audit.integrity.key_file", audit.key_file, "audit.key",
                        "The HMAC key of the chain, at least 32 bytes, mode 0600. Made when it "
                        "does not exist.");
  schema.add("audit.fsync", word_field(audit.fsync, kFsyncModes),
             "When events are forced to the disk: never, at intervals, or with each batch. They "
             "survive a crash of the daemon in any case, but not one of the machine.");
  schema.add("audit.fsync_interval",
             duration_field(audit.fsync_interval, milliseconds(10), hours(1)),
             "How often, with audit.fsync: interval.");
  schema.add("audit.backpressure", word_field(audit.backpressure, kBackpressure),
             "When events come faster than they can be written: block slows the sessions down, "
             "count drops events and records how many.");
  schema.add("audit.on_write_error", word_field(audit.on_write_error, kWriteErrors),
             "When the trail cannot be written: deny refuses every operation until it can be, "
             "continue goes on and writes later what it has kept.");
  schema.add("audit.ring_size", size_field(audit.ring_size, 64u << 10, 1u << 30),
             "The buffer between the sessions and the trail, per thread.");
}

}  // namespace agentsh::config
