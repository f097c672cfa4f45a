// Which mechanism enforces each rule of a policy here, and what of it nothing enforces: the plan
// that `policy explain` prints, that session creation reports and that `security.strict` refuses
// on.
//
// Threads: pure functions.
#pragma once

#include "policies/compiled_policy.h"
#include "policies/mount_plan.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

// What was found to work on this host.
struct HostCapabilities {
  bool bpf = false;                 // Programs load and attach.
  bool nftables = false;            // The redirect without BPF.
  bool connect_supervisor = false;  // The redirect without a network namespace.
  bool mounts = false;              // A mount namespace of the session's own.
  bool landlock = false;
  bool fuse = false;
  bool seccomp_notify = false;
  bool cgroup_memory = false;
  bool cgroup_pids = false;
  bool cgroup_cpu = false;
};

// What this build acts on.
struct Features {
  bool file_layer = false;       // Decisions per file operation.
  bool nested_commands = false;  // Commands that a session's programs start themselves.
  bool unix_sockets = false;
  bool signals = false;
  bool http_services = true;
  bool database = true;
  bool mcp = true;
  bool packages = false;
  bool processes = false;         // process_identities and process_contexts.
  bool io_limits = false;         // Swap, disk and network bandwidth.
  bool redirect_failure = false;  // on_failure other than fail_closed.
  bool output_recording = true;   // audit.include_stdout and include_stderr.
  bool retention = false;         // audit.retention_days.
};

enum class EnforcedBy {
  kKernelCidrMap,  // Answered inside the kernel at connect() and sendto().
  kProxy,          // When the connection reaches the proxy.
  kDnsService,
  kCommandCheck,  // Before `agentsh exec` starts a command.
  kMounts,
  kLandlock,
  kFileLayer,
  kSeccompNotify,
  kEnvironment,  // When a command's environment is made.
  kCgroup,
  kTimer,
  kAuditLog,
  kNothing,
};
std::string_view to_string(EnforcedBy mechanism);

struct RuleEnforcement {
  using Extent = MountPlan::Extent;
  std::string section;  // "network_rules"
  std::string rule;     // Its name, or the key for settings ("max_memory_mb").
  SourcePosition where;
  std::string decision;  // Empty for settings.
  EnforcedBy by = EnforcedBy::kNothing;
  Extent extent = Extent::kWhole;
  std::string note;  // What is not enforced, or how the rule is understood. May be empty.
};

// In the order of the policy's sections.
std::vector<RuleEnforcement> enforcement_report(const CompiledPolicy& policy,
                                                const std::string& workspace,
                                                const HostCapabilities& host,
                                                const Features& features = {});

// The rules that are enforced in part or not at all.
std::vector<RuleEnforcement> not_enforced(const std::vector<RuleEnforcement>& report);

// One line per rule, for people and (JSON array) for programs.
std::string to_text(const std::vector<RuleEnforcement>& report);
std::string to_json(const std::vector<RuleEnforcement>& report);

}  // namespace agentsh::policy
