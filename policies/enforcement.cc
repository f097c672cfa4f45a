#include "policies/enforcement.h"

#include "base/json_writer.h"
#include "policies/network_entries.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

using Extent = RuleEnforcement::Extent;

class Reporter {
 public:
  Reporter(const CompiledPolicy& policy, const HostCapabilities& host, const Features& features)
      : policy_(policy.policy()), host_(host), features_(features) {}

  std::vector<RuleEnforcement> run(const MountPlan& mounts) {
    files(mounts);
    network();
    redirects();
    commands();
    sockets_and_signals();
    environment();
    limits();
    audit();
    services();
    database();
    processes();
    return std::move(report_);
  }

 private:
  RuleEnforcement& add(std::string_view section, const RuleHead& rule, Decision decision) {
    return report_.emplace_back(RuleEnforcement{.section = std::string(section),
                                                .rule = rule.name,
                                                .where = rule.where,
                                                .decision = std::string(to_string(decision))});
  }
  RuleEnforcement& setting(std::string_view section, std::string_view key, SourcePosition where) {
    return report_.emplace_back(
        RuleEnforcement{.section = std::string(section), .rule = std::string(key), .where = where});
  }
  static void nothing(RuleEnforcement& entry, std::string note) {
    entry.by = EnforcedBy::kNothing;
    entry.extent = Extent::kNothing;
    entry.note = std::move(note);
  }
  static void in_part(RuleEnforcement& entry, std::string note) {
    if (entry.extent == Extent::kWhole) entry.extent = Extent::kPart;
    entry.note += entry.note.empty() ? note : "; " + note;
  }

  void files(const MountPlan& mounts) {
    for (std::size_t i = 0; i < policy_.file_rules.size(); ++i) {
      RuleEnforcement& entry =
          add("file_rules", policy_.file_rules[i], policy_.file_rules[i].decision);
      if (features_.file_layer && (host_.fuse || host_.seccomp_notify)) {
        entry.by = EnforcedBy::kFileLayer;
      } else if (!host_.mounts && !host_.landlock) {
        nothing(entry, "the session has neither mounts of its own nor Landlock here");
      } else if (mounts.rules[i].extent == Extent::kNothing) {
        nothing(entry, mounts.rules[i].note);
      } else {
        entry.by = host_.mounts ? EnforcedBy::kMounts : EnforcedBy::kLandlock;
        entry.extent = mounts.rules[i].extent;
        entry.note = mounts.rules[i].note;
      }
    }
  }

  static bool has_lone_star(const NetworkRule& rule) {
    return std::ranges::any_of(rule.domains, [](const LocatedText& domain) {
      auto glob = Glob::parse(domain.text, '.');
      return glob && glob->is_lone_star();
    });
  }

  bool redirected() const { return host_.bpf || host_.nftables || host_.connect_supervisor; }

  void network() {
    for (const NetworkRule& rule : policy_.network_rules) {
      RuleEnforcement& entry = add("network_rules", rule, rule.decision);
      if (!redirected()) {
        nothing(entry, "nothing can redirect the session's connections here; it has no network");
        continue;
      }
      const bool denied = rule.decision == Decision::kDeny;
      const bool in_kernel = host_.bpf && denied && rule.domains.empty() && !rule.cidrs.empty();
      entry.by = in_kernel ? EnforcedBy::kKernelCidrMap : EnforcedBy::kProxy;
      if (has_lone_star(rule)) entry.note = "* is any host, unnamed addresses included";
      if (!denied && rule.cidrs.empty()) {
        entry.note += entry.note.empty() ? "" : "; ";
        entry.note += "TCP to public addresses only: others need cidrs";
      }
      if (rule.decision == Decision::kRedirect && policy_.connect_redirects.empty()) {
        entry.note = "there are no connect_redirects, so it denies";
      }
    }
  }

  void redirects() {
    for (const DnsRedirectRule& rule : policy_.dns_redirects) {
      RuleEnforcement& entry = add("dns_redirects", rule, Decision::kRedirect);
      entry.by = EnforcedBy::kDnsService;
      if (!redirected()) nothing(entry, "nothing can redirect the session's connections here");
      if (rule.on_failure != RedirectFailure::kFailClosed) {
        entry.note = "on_failure has no effect: the answer needs no server";
      }
    }
    for (const ConnectRedirectRule& rule : policy_.connect_redirects) {
      RuleEnforcement& entry = add("connect_redirects", rule, Decision::kRedirect);
      entry.by = EnforcedBy::kProxy;
      if (!redirected()) nothing(entry, "nothing can redirect the session's connections here");
      if (rule.on_failure != RedirectFailure::kFailClosed && !features_.redirect_failure) {
        in_part(entry, "on_failure is fail_closed: the connection fails with its target");
      }
    }
  }

  void commands() {
    for (const CommandRule& rule : policy_.command_rules) {
      RuleEnforcement& entry = add("command_rules", rule, rule.decision);
      entry.by = EnforcedBy::kCommandCheck;
      if (!features_.nested_commands && rule.min_depth > 0) {
        nothing(entry, "it is about commands that other commands start, which are not checked");
        continue;
      }
      if (!features_.nested_commands && rule.max_depth != 0) {
        in_part(entry, "checked for commands that agentsh starts, not for what they start");
      }
      if (rule.environment && rule.environment->block_iteration) {
        in_part(entry, "env_block_iteration has no effect");
      }
    }
    const bool adjusted =
        !policy_.transparent_commands_add.empty() || !policy_.transparent_commands_remove.empty();
    if (adjusted) setting("transparent_commands", "add, remove", {}).by = EnforcedBy::kCommandCheck;
  }

  void sockets_and_signals() {
    for (const UnixSocketRule& rule : policy_.unix_socket_rules) {
      RuleEnforcement& entry = add("unix_socket_rules", rule, rule.decision);
      entry.by = EnforcedBy::kSeccompNotify;
      if (!features_.unix_sockets || !host_.seccomp_notify) {
        nothing(entry, "Unix sockets are not checked one by one; none of the host's is in view");
      }
    }
    for (const RegistryRule& rule : policy_.registry_rules) {
      nothing(add("registry_rules", rule, rule.decision), "there is no registry on Linux");
    }
    for (const SignalRule& rule : policy_.signal_rules) {
      RuleEnforcement& entry = add("signal_rules", rule, rule.decision);
      entry.by = EnforcedBy::kSeccompNotify;
      if (!features_.signals || !host_.seccomp_notify) {
        nothing(entry,
                host_.connect_supervisor
                    ? "signals are not checked one by one"
                    : "signals are not checked one by one; the session's PID namespace keeps them "
                      "inside");
      }
    }
  }

  void environment() {
    const EnvironmentRules& rules = policy_.env_policy;
    const bool written = !rules.allow.empty() || !rules.deny.empty() || rules.max_bytes ||
                         rules.max_keys || rules.block_iteration;
    if (written) setting("env_policy", "allow, deny, max", {}).by = EnforcedBy::kEnvironment;
    if (rules.block_iteration) {
      nothing(setting("env_policy", "block_iteration", {}), "programs can list their environment");
    }
    if (!policy_.env_inject.empty()) {
      setting("env_inject", fmt::format("{} variables", policy_.env_inject.size()), {}).by =
          EnforcedBy::kEnvironment;
    }
  }

  void limit(std::string_view key, bool written, EnforcedBy by, bool available,
             std::string_view why_not) {
    if (!written) return;
    RuleEnforcement& entry = setting("resource_limits", key, policy_.resource_limits.where);
    entry.by = by;
    if (!available) nothing(entry, std::string(why_not));
  }

  void limits() {
    const ResourceLimits& limits = policy_.resource_limits;
    constexpr std::string_view kNoCgroup = "the cgroup has no such controller here";
    constexpr std::string_view kNotBuilt = "it is not limited by this version";
    limit("max_memory_mb", limits.max_memory_mb.has_value(), EnforcedBy::kCgroup,
          host_.cgroup_memory, kNoCgroup);
    limit("pids_max", limits.pids_max.has_value(), EnforcedBy::kCgroup, host_.cgroup_pids,
          kNoCgroup);
    limit("cpu_quota_percent", limits.cpu_quota_percent.has_value(), EnforcedBy::kCgroup,
          host_.cgroup_cpu, kNoCgroup);
    limit("command_timeout", limits.command_timeout.has_value(), EnforcedBy::kTimer, true, "");
    limit("session_timeout", limits.session_timeout.has_value(), EnforcedBy::kTimer, true, "");
    limit("idle_timeout", limits.idle_timeout.has_value(), EnforcedBy::kTimer, true, "");
    const bool io = features_.io_limits;
    limit("memory_swap_max_mb", limits.memory_swap_max_mb.has_value(), EnforcedBy::kCgroup, io,
          kNotBuilt);
    limit("disk_read_bps_max", limits.disk_read_bps_max.has_value(), EnforcedBy::kCgroup, io,
          kNotBuilt);
    limit("disk_write_bps_max", limits.disk_write_bps_max.has_value(), EnforcedBy::kCgroup, io,
          kNotBuilt);
    limit("net_bandwidth_mbps", limits.net_bandwidth_mbps.has_value(), EnforcedBy::kProxy, io,
          kNotBuilt);
  }

  void audit() {
    const AuditRules& rules = policy_.audit;
    if (rules.where.line == 0) return;
    setting("audit", "log_allowed, log_denied, log_approved", rules.where).by =
        EnforcedBy::kAuditLog;
    if (rules.include_stdout || rules.include_stderr) {
      RuleEnforcement& entry = setting("audit", "include_stdout, include_stderr", rules.where);
      entry.by = EnforcedBy::kAuditLog;
      if (!features_.output_recording) nothing(entry, "output is not recorded");
    }
    if (rules.include_file_content) {
      nothing(setting("audit", "include_file_content", rules.where),
              "the content of files is not recorded");
    }
    if (rules.retention_days > 0) {
      RuleEnforcement& entry = setting("audit", "retention_days", rules.where);
      entry.by = EnforcedBy::kAuditLog;
      if (!features_.retention)
        nothing(entry, "events are kept as the server's configuration says");
    }
  }

  void unbuilt(bool built, EnforcedBy by, std::string_view section, std::string_view rule,
               SourcePosition where) {
    RuleEnforcement& entry = setting(section, rule, where);
    entry.by = by;
    if (!built) nothing(entry, "this version does not act on it");
  }

  void services() {
    for (const HttpService& service : policy_.http_services) {
      unbuilt(features_.http_services, EnforcedBy::kProxy, "http_services", service.name,
              service.where);
    }
    for (const SecretProvider& provider : policy_.providers) {
      unbuilt(features_.http_services, EnforcedBy::kProxy, "providers", provider.name,
              provider.where);
    }
    if (policy_.mcp_rules) {
      unbuilt(features_.mcp, EnforcedBy::kProxy, "mcp_rules", "mcp_rules",
              policy_.mcp_rules->where);
    }
    for (std::size_t i = 0; i < policy_.package_rules.size(); ++i) {
      unbuilt(features_.packages, EnforcedBy::kCommandCheck, "package_rules",
              fmt::format("package_rules[{}]", i), policy_.package_rules[i].where);
    }
  }

  void database() {
    const auto entry = [&](std::string_view section, const auto& rule) {
      unbuilt(features_.database, EnforcedBy::kProxy, section, rule.name, rule.where);
    };
    for (const DbService& service : policy_.database.services) entry("db_services", service);
    for (const DatabaseRule& rule : policy_.database.rules) entry("database_rules", rule);
    for (const DatabaseMask& mask : policy_.database.masks) entry("database_masks", mask);
    for (const DatabaseConnectionRule& rule : policy_.database.connection_rules) {
      entry("database_connection_rules", rule);
    }
  }

  void processes() {
    for (const ProcessIdentity& identity : policy_.process_identities) {
      unbuilt(features_.processes, EnforcedBy::kSeccompNotify, "process_identities", identity.name,
              identity.where);
    }
    for (const ProcessContext& context : policy_.process_contexts) {
      unbuilt(features_.processes, EnforcedBy::kSeccompNotify, "process_contexts", context.name,
              context.where);
    }
  }

  const Policy& policy_;
  const HostCapabilities& host_;
  const Features& features_;
  std::vector<RuleEnforcement> report_;
};

std::string_view extent_text(Extent extent) {
  switch (extent) {
    case Extent::kWhole:
      return "enforced";
    case Extent::kPart:
      return "in part";
    case Extent::kNothing:
      return "NOT ENFORCED";
  }
  return "NOT ENFORCED";
}

std::string_view extent_word(Extent extent) {
  return extent == Extent::kWhole ? "whole" : extent == Extent::kPart ? "part" : "nothing";
}

}  // namespace

std::string_view to_string(EnforcedBy mechanism) {
  switch (mechanism) {
    case EnforcedBy::kKernelCidrMap:
      return "kernel CIDR map";
    case EnforcedBy::kProxy:
      return "proxy";
    case EnforcedBy::kDnsService:
      return "DNS service";
    case EnforcedBy::kCommandCheck:
      return "command check";
    case EnforcedBy::kLandlock:
      return "landlock";
    case EnforcedBy::kMounts:
      return "mounts";
    case EnforcedBy::kFileLayer:
      return "file layer";
    case EnforcedBy::kSeccompNotify:
      return "seccomp notify";
    case EnforcedBy::kEnvironment:
      return "environment";
    case EnforcedBy::kCgroup:
      return "cgroup";
    case EnforcedBy::kTimer:
      return "timer";
    case EnforcedBy::kAuditLog:
      return "audit log";
    case EnforcedBy::kNothing:
      return "nothing";
  }
  return "nothing";
}

std::vector<RuleEnforcement> enforcement_report(const CompiledPolicy& policy,
                                                const std::string& workspace,
                                                const HostCapabilities& host,
                                                const Features& features) {
  return Reporter(policy, host, features).run(plan_mounts(policy, workspace));
}

std::vector<RuleEnforcement> not_enforced(const std::vector<RuleEnforcement>& report) {
  std::vector<RuleEnforcement> result;
  std::ranges::copy_if(report, std::back_inserter(result),
                       [](const RuleEnforcement& entry) { return entry.extent != Extent::kWhole; });
  return result;
}

std::string to_text(const std::vector<RuleEnforcement>& report) {
  std::string text;
  std::string_view section;
  for (const RuleEnforcement& entry : report) {
    if (entry.section != section) text += fmt::format("{}:\n", entry.section);
    section = entry.section;
    text += fmt::format("  {:<28} {:<9} {:<16} {}", entry.rule, entry.decision, to_string(entry.by),
                        extent_text(entry.extent));
    if (entry.where.line > 0) text += fmt::format(" (line {})", entry.where.line);
    text += '\n';
    if (!entry.note.empty()) text += fmt::format("      {}\n", entry.note);
  }
  return text;
}

std::string to_json(const std::vector<RuleEnforcement>& report) {
  JsonWriter json(2);
  json.begin_array();
  for (const RuleEnforcement& entry : report) {
    json.begin_object()
        .field("section", entry.section)
        .field("rule", entry.rule)
        .field("line", entry.where.line)
        .optional_field("decision", entry.decision)
        .field("mechanism", to_string(entry.by))
        .field("enforced", extent_word(entry.extent))
        .optional_field("note", entry.note)
        .end_object();
  }
  json.end_array();
  return json.take();
}

}  // namespace agentsh::policy
