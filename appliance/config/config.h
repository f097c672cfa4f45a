// The server's configuration as the daemon uses it: plain values, every one with a default that is
// safe to run with. What each key is called in the file, what it means and what it may be is said
// once, in keys_*.cc; loader.h makes a ServerConfig from a file, the environment and flags.
//
// Immutable after loading, so any thread may read it. Paths are absolute.
#pragma once

#include "appliance/config/gateway_config.h"
#include "appliance/config/guard_config.h"
#include "audit/recorder.h"
#include "base/ip.h"
#include "base/log.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::config {

using Duration = std::chrono::nanoseconds;

struct UnixSocketConfig {
  bool enabled = true;
  std::string path;
  mode_t permissions = 0600;
  std::string group;  // Empty: the daemon's own.
};

struct HttpConfig {
  std::optional<Endpoint> address;  // None: no TCP listener.
  Duration read_timeout = std::chrono::seconds(30);
  Duration write_timeout = std::chrono::minutes(5);
  std::uint64_t max_request_size = 10u << 20;
};

struct ServerTlsConfig {
  bool enabled = false;
  std::string cert_file;
  std::string key_file;
};

struct ServerSection {
  std::string state_dir;
  UnixSocketConfig unix_socket;
  HttpConfig http;
  ServerTlsConfig tls;
};

enum class AuthType { kNone, kApiKey, kOidc, kHybrid };

struct AuthSection {
  AuthType type = AuthType::kNone;
  std::string keys_file;
  std::string header_name = "X-API-Key";
};

struct LoggingSection {
  LogLevel level = LogLevel::kInfo;
  std::string file;
};

struct SessionsSection {
  std::string base_dir;
  int max_sessions = 100;
  Duration default_timeout{0};       // 0: none.
  Duration default_idle_timeout{0};  // 0: none.
  Duration cleanup_interval = std::chrono::minutes(1);
  bool real_paths = true;
};

enum class SigningMode { kOff, kWarn, kEnforce };

struct PoliciesSection {
  std::string dir;
  std::string default_policy = "default";
  std::vector<std::string> allowed;  // Empty: every policy of `dir` and every shipped one.
  SigningMode signing_mode = SigningMode::kOff;
  std::string trust_store;
};

enum class ApprovalMode { kApi, kLocalTty, kTotp, kWebauthn, kDialog };

struct ApprovalsSection {
  bool enabled = false;
  ApprovalMode mode = ApprovalMode::kApi;
  Duration timeout = std::chrono::minutes(5);
};

enum class InterceptMode { kAuto, kEbpf, kNftables };

// What a question about a name that the policy refuses is answered.
enum class DenyRcode { kNxDomain, kRefused, kServFail };

struct UpstreamProxy {
  std::string host;  // Empty: none.
  std::uint16_t port = 0;
  std::string user;
  std::string password;
};

struct ProxyTimeouts {
  Duration connect = std::chrono::seconds(10);
  Duration handshake = std::chrono::seconds(10);
  Duration request_head = std::chrono::seconds(30);
  Duration idle = std::chrono::minutes(5);
  Duration body = std::chrono::minutes(10);
  Duration dns = std::chrono::seconds(5);
};

struct NetworkSection {
  bool enabled = true;  // False: sessions have no network at all.
  // Already reconciled with sandbox.network.ebpf.*: kEbpf when eBPF is required, kNftables when it
  // is switched off.
  InterceptMode intercept_mode = InterceptMode::kAuto;
  bool ebpf_enabled = true;
  bool ebpf_required = false;
  int threads = 0;                  // 0: one per processor.
  std::vector<Endpoint> resolvers;  // Empty: those of /etc/resolv.conf.
  DenyRcode deny_rcode = DenyRcode::kNxDomain;
  std::vector<std::string> upstream_ca_files;
  UpstreamProxy upstream_proxy;
  std::vector<std::string> upstream_proxy_bypass;  // Hosts, "*.suffix", CIDR networks.
  std::vector<std::string> tls_passthrough;        // Hosts, "*.suffix".
  std::vector<int> host_ports;
  bool tls_inspection = true;
  ProxyTimeouts timeouts;
};

struct SandboxSection {
  NetworkSection network;
  std::map<std::string, std::string> env_inject;
};

// From the most to the least protection, after kAuto.
enum class SecurityMode { kAuto, kFull, kLandlock, kLandlockOnly, kMinimal };

struct SecuritySection {
  SecurityMode mode = SecurityMode::kAuto;
  bool strict = false;
  SecurityMode minimum_mode = SecurityMode::kMinimal;
  bool warn_degraded = true;
};

enum class DlpMode { kDisabled, kAudit, kRedact, kTokenize, kBlock };

struct DlpPattern {
  std::string name;
  std::string display;
  std::string regex;
};

struct DlpDictionary {
  std::string name;
  std::string display;
  std::vector<std::string> words;
  bool case_sensitive = false;
};

// What is looked for in the answers of LLM APIs.
struct DlpAnswers {
  DlpMode mode = DlpMode::kDisabled;
  std::map<std::string, std::string> detectors;  // Ids to modes.
};

struct DlpSection {
  DlpMode mode = DlpMode::kRedact;
  // Groups of shipped detectors.
  bool email = true;
  bool phone = true;
  bool credit_card = true;
  bool ssn = true;
  bool api_keys = true;
  std::map<std::string, std::string> detectors;  // Ids to modes.
  DlpAnswers answers;
  std::vector<DlpPattern> custom_patterns;
  std::vector<DlpDictionary> dictionaries;
  std::vector<std::string> catalogue_files;
};

std::optional<DlpMode> parse_dlp_mode(std::string_view word);

enum class LlmMode { kEmbedded, kDisabled, kMcpOnly };

// References to keys for AWS ("env:NAME", "file:/path", "exec:/program").
struct AwsKeySection {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
};

struct LlmSection {
  LlmMode mode = LlmMode::kEmbedded;
  std::map<std::string, std::string> providers;  // Names to base URLs.
  std::string prices_file;
  std::uint64_t max_request_size = 256u << 20;
  AwsKeySection bedrock;
};

enum class WriteError { kContinue, kDeny };

struct AuditSection {
  std::string dir;
  int segment_size_mb = 500;
  int max_segments = 10;  // 0: all are kept.
  std::string key_file;
  audit::Fsync fsync = audit::Fsync::kInterval;
  Duration fsync_interval = std::chrono::seconds(1);
  audit::Backpressure backpressure = audit::Backpressure::kBlock;
  WriteError on_write_error = WriteError::kContinue;
  std::uint64_t ring_size = 4u << 20;
};

struct MetricsSection {
  bool enabled = true;
  std::string path = "/metrics";
};

struct HealthSection {
  std::string path = "/health";
  std::string readiness_path = "/ready";
};

struct ServerConfig {
  ServerSection server;
  AuthSection auth;
  LoggingSection logging;
  SessionsSection sessions;
  PoliciesSection policies;
  ApprovalsSection approvals;
  SandboxSection sandbox;
  LlmSection llm;
  DlpSection dlp;
  LlmRateLimits llm_rates;
  std::vector<LlmLimit> llm_limits;
  LlmStorageSection llm_storage;
  GatewaySection gateway;
  GuardSection guard;
  SecuritySection security;
  AuditSection audit;
  MetricsSection metrics;
  HealthSection health;
};

}  // namespace agentsh::config
