// mcp_rules, package_rules.
#include "policies/loader_sections.h"

#include <fmt/format.h>

namespace agentsh::policy::loader {
namespace {

constexpr Word<McpListPolicy> kListPolicies[] = {{"none", McpListPolicy::kNone},
                                                 {"allowlist", McpListPolicy::kAllowlist},
                                                 {"denylist", McpListPolicy::kDenylist},
                                                 {"blocklist", McpListPolicy::kDenylist}};

void load_tools(YamlReader& rules, std::string_view key, std::vector<McpTool>& out) {
  rules.each_item(key, [&](YamlNode node, const std::string& path) {
    YamlReader reader(node, path, rules.problems());
    McpTool& tool = out.emplace_back();
    reader.text("server", tool.server, Need::kRequired);
    reader.text("tool", tool.tool, Need::kRequired);
    reader.text("content_hash", tool.content_hash);
  });
}

void load_servers(YamlReader& rules, std::string_view key, std::vector<std::string>& out) {
  rules.each_item(key, [&](YamlNode node, const std::string& path) {
    YamlReader reader(node, path, rules.problems());
    reader.text("id", out.emplace_back(), Need::kRequired);
  });
}

void load_pinning(YamlReader& rules, McpRules& out) {
  rules.object("version_pinning", [&](YamlReader& reader) {
    constexpr Word<std::string_view> kActions[] = {
        {"block", "block"}, {"alert", "alert"}, {"allow", "allow"}};
    reader.flag("enabled", out.version_pinning);
    std::string_view action = out.on_change;
    if (reader.word("on_change", action, kActions)) out.on_change = std::string(action);
    reader.flag("auto_trust_first", out.auto_trust_first);
  });
}

// {enabled, <rule>: {enabled}}: the names of the rules are the detector's.
void load_cross_server(YamlReader& rules, McpRules& out) {
  rules.object("cross_server", [&](YamlReader& reader) {
    constexpr std::string_view kRules[] = {"read_then_send", "burst", "cross_server_flow",
                                           "shadow_tool"};
    reader.flag("enabled", out.cross_server);
    for (std::string_view name : kRules) {
      reader.object(name, [&](YamlReader& rule) {
        bool enabled = false;
        rule.flag("enabled", enabled);
        out.cross_server_rules.emplace_back(std::string(name), enabled);
      });
    }
  });
}

// As sandbox.mcp.rate_limits of agentsh's configuration has them.
void load_rate_limits(YamlReader& rules, McpRules& out) {
  rules.object("rate_limits", [&](YamlReader& reader) {
    constexpr int kMost = 1'000'000;
    const auto number = [](YamlReader& from, std::string_view key, int& value) {
      from.integer(key, value, 1, kMost);
    };
    McpRateLimits limits;
    bool enabled = true;
    reader.flag("enabled", enabled);
    number(reader, "default_rpm", limits.others.calls_per_minute);
    number(reader, "default_burst", limits.others.burst);
    reader.each_entry("per_server", [&](YamlNode name, YamlNode value, const std::string& path) {
      YamlReader one(value, path, rules.problems());
      McpRateLimits::Limit limit = limits.others;
      limit.server = std::string(name.text());
      number(one, "calls_per_minute", limit.calls_per_minute);
      number(one, "burst", limit.burst);
      limits.servers.push_back(std::move(limit));
    });
    if (enabled) out.rate_limits = std::move(limits);
  });
}

void load_package_match(YamlReader& rule, PackageRule& out) {
  if (rule.require("match").empty()) return;
  rule.object("match", [&](YamlReader& reader) {
    reader.texts("packages", out.packages);
    load_environment_globs(reader, "name_patterns", out.name_patterns);
    reader.text("finding_type", out.finding_type);
    reader.text("severity", out.severity);
    reader.texts("reasons", out.reasons);
    reader.object("license_spdx", [&](YamlReader& license) {
      license.texts("allow", out.license_allow);
      license.texts("deny", out.license_deny);
    });
    reader.text("ecosystem", out.ecosystem);
    reader.mistaken("options",
                    "is not supported: a match has packages, name_patterns, "
                    "finding_type, severity, reasons, license_spdx and ecosystem");
  });
}

}  // namespace

void load_mcp_rules(YamlReader& root, Policy& policy) {
  root.object("mcp_rules", [&](YamlReader& reader) {
    McpRules rules;
    rules.where = reader.where();
    reader.flag("enforce_policy", rules.enforce_policy);
    reader.word("tool_policy", rules.tool_policy, kListPolicies);
    reader.word("server_policy", rules.server_policy, kListPolicies);
    load_tools(reader, "allowed_tools", rules.allowed_tools);
    load_tools(reader, "denied_tools", rules.denied_tools);
    load_servers(reader, "allowed_servers", rules.allowed_servers);
    load_servers(reader, "denied_servers", rules.denied_servers);
    load_pinning(reader, rules);
    load_cross_server(reader, rules);
    load_rate_limits(reader, rules);
    policy.mcp_rules = std::move(rules);
  });
}

void load_package_rules(YamlReader& root, Policy& policy) {
  constexpr Word<PackageAction> kActions[] = {{"allow", PackageAction::kAllow},
                                              {"warn", PackageAction::kWarn},
                                              {"approve", PackageAction::kApprove},
                                              {"block", PackageAction::kBlock},
                                              {"deny", PackageAction::kBlock}};
  root.each_item("package_rules", [&](YamlNode node, const std::string& path) {
    YamlReader reader(node, path, root.problems());
    PackageRule& rule = policy.package_rules.emplace_back();
    rule.where = reader.where();
    load_package_match(reader, rule);
    reader.word("action", rule.action, kActions, Need::kRequired);
    reader.text("reason", rule.reason);
  });
}

}  // namespace agentsh::policy::loader
