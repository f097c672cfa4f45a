// A policy as it was written: plain structs, one per section of the YAML schema, values checked by
// the loader, variables not yet expanded. CompiledPolicy (compiled_policy.h) is what decides.
//
// Every rule knows where it stands in the file, for explanations and for lint. Ownership: values.
// The sections whose enforcement is elsewhere are in model_services.h (http_services, providers,
// mcp_rules, package_rules), model_database.h and model_processes.h.
#pragma once

#include "base/ip.h"
#include "policies/diagnostic.h"
#include "policies/model_database.h"
#include "policies/model_processes.h"
#include "policies/model_services.h"
#include "policies/pattern.h"
#include "policies/verdict.h"
#include "policies/yaml_reader.h"

#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::policy {

using std::chrono::nanoseconds;

// What every rule has. `name` is "<section>[<index>]" when none was written.
struct RuleHead {
  std::string name;
  std::string description;
  std::string message;
  SourcePosition where;
  std::optional<nanoseconds> timeout;  // How long an approval of this rule may wait.
};

enum class FileOperation {
  kOpen,
  kRead,
  kWrite,
  kCreate,
  kDelete,
  kRmdir,
  kMkdir,
  kRename,
  kList,
  kStat,
  kChmod,
  kChown,
  kReadlink,
  kLink,
  kSymlink,
  kAccess,
  kMknod,
};
inline constexpr std::size_t kFileOperations = 17;
std::string_view to_string(FileOperation operation);
std::optional<FileOperation> parse_file_operation(std::string_view word);
// Operations that change nothing; without a rule they are allowed.
bool is_read_operation(FileOperation operation);
using FileOperationSet = std::bitset<kFileOperations>;

struct FileRule : RuleHead {
  std::vector<LocatedText> paths;  // Globs. Empty: the rule never matches.
  FileOperationSet operations = FileOperationSet().set();
  Decision decision = Decision::kDeny;
  std::string redirect_to;
  bool preserve_tree = false;
};

struct NetworkRule : RuleHead {
  std::vector<LocatedText> domains;  // Globs, lower case. A lone "*" or "**" is any host.
  std::vector<std::uint16_t> ports;
  std::vector<Cidr> cidrs;
  Decision decision = Decision::kDeny;
  bool tls_passthrough = false;  // `tls: passthrough`: relay TLS unopened, checked by its SNI.
};

struct EnvironmentRules {
  std::vector<std::string> allow;  // Globs without a separator. Empty: all but a built-in list.
  std::vector<std::string> deny;   // Wins over allow.
  std::optional<std::uint64_t> max_bytes;
  std::optional<std::uint64_t> max_keys;
  bool block_iteration = false;
};

struct CommandRule : RuleHead {
  std::vector<LocatedText> commands;  // Empty: every command.
  std::vector<Pattern> args_patterns;
  std::vector<SourcePosition> args_where;
  Decision decision = Decision::kDeny;
  std::optional<Redirect> redirect;
  int min_depth = 0;
  int max_depth = -1;                           // -1: unlimited.
  std::optional<EnvironmentRules> environment;  // Replaces env_policy for the command.
};

enum class UnixSocketOperation { kConnect, kBind, kListen, kSendto };
using UnixSocketOperationSet = std::bitset<4>;
std::string_view to_string(UnixSocketOperation operation);

struct UnixSocketRule : RuleHead {
  std::vector<LocatedText> paths;  // Globs; "@name" is an abstract socket.
  UnixSocketOperationSet operations = UnixSocketOperationSet().set();
  Decision decision = Decision::kDeny;
};

// Of Windows: read, checked and never enforced.
struct RegistryRule : RuleHead {
  std::vector<LocatedText> paths;
  std::vector<std::string> operations;
  Decision decision = Decision::kDeny;
  int priority = 0;
  nanoseconds cache_ttl{};
  bool notify = false;
};

enum class SignalTargetType {
  kSelf,
  kChildren,
  kDescendants,
  kSiblings,
  kSession,
  kParent,
  kExternal,
  kSystem,
  kUser,
  kProcess,
  kPidRange,
};
std::string_view to_string(SignalTargetType type);

struct SignalRule : RuleHead {
  std::bitset<65> signals;
  SignalTargetType target = SignalTargetType::kSelf;
  std::string target_pattern;  // kProcess.
  int pid_min = 0;             // kPidRange.
  int pid_max = 0;
  Decision decision = Decision::kDeny;
  std::optional<Decision> fallback;
  int redirect_signal = 0;
};

enum class Visibility { kSilent, kAuditOnly, kWarn };

struct DnsRedirectRule : RuleHead {
  std::optional<Pattern> match;
  IpAddress resolve_to;
  Visibility visibility = Visibility::kAuditOnly;
  RedirectFailure on_failure = RedirectFailure::kFailClosed;
};

struct ConnectRedirectRule : RuleHead {
  std::optional<Pattern> match;
  std::string redirect_to;  // host:port, or a path when `unix_socket`.
  bool unix_socket = false;
  std::optional<std::string> rewrite_sni;
  Visibility visibility = Visibility::kAuditOnly;
  RedirectFailure on_failure = RedirectFailure::kFailClosed;
};

struct ResourceLimits {
  std::optional<std::uint64_t> max_memory_mb;
  std::optional<std::uint64_t> memory_swap_max_mb;
  std::optional<unsigned> cpu_quota_percent;
  std::optional<std::uint64_t> pids_max;
  std::optional<std::uint64_t> disk_read_bps_max;
  std::optional<std::uint64_t> disk_write_bps_max;
  std::optional<std::uint64_t> net_bandwidth_mbps;
  std::optional<nanoseconds> command_timeout;
  std::optional<nanoseconds> session_timeout;
  std::optional<nanoseconds> idle_timeout;
  SourcePosition where;
};

struct AuditRules {
  bool log_allowed = true;
  bool log_denied = true;
  bool log_approved = true;
  bool include_stdout = false;
  bool include_stderr = false;
  bool include_file_content = false;
  unsigned retention_days = 0;  // 0: as the server is configured.
  SourcePosition where;
};

// Labels of generated rules; they enforce nothing.
struct RuleMetadata {
  std::string rule_name;
  std::string source;
  std::string db_service;
  std::string bypass_mode;
  std::string destination;
};

// The rules that a process context brings along.
struct ContextRules {
  std::vector<FileRule> file_rules;
  std::vector<NetworkRule> network_rules;
  std::vector<CommandRule> command_rules;
  std::vector<UnixSocketRule> unix_socket_rules;
  std::optional<EnvironmentRules> env_policy;
};

struct Policy {
  std::string file;  // As given to the loader.
  int version = 0;
  std::string name;
  std::string description;
  std::vector<RuleMetadata> metadata;
  std::vector<FileRule> file_rules;
  std::vector<NetworkRule> network_rules;
  std::vector<CommandRule> command_rules;
  std::vector<UnixSocketRule> unix_socket_rules;
  std::vector<RegistryRule> registry_rules;
  std::vector<SignalRule> signal_rules;
  std::vector<DnsRedirectRule> dns_redirects;
  std::vector<ConnectRedirectRule> connect_redirects;
  ResourceLimits resource_limits;
  EnvironmentRules env_policy;
  std::vector<std::pair<std::string, std::string>> env_inject;
  AuditRules audit;
  std::vector<std::string> transparent_commands_add;
  std::vector<std::string> transparent_commands_remove;
  std::vector<HttpService> http_services;
  std::vector<SecretProvider> providers;
  std::optional<McpRules> mcp_rules;
  std::vector<PackageRule> package_rules;
  std::vector<ProcessIdentity> process_identities;
  std::vector<ProcessContext> process_contexts;
  DatabasePolicy database;
};

}  // namespace agentsh::policy
