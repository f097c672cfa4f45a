// dns_redirects, connect_redirects, resource_limits, env_policy, env_inject, audit,
// transparent_commands.
#include "base/domain.h"
#include "policies/loader_sections.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy::loader {
namespace {

constexpr Word<Visibility> kVisibilities[] = {{"silent", Visibility::kSilent},
                                              {"audit_only", Visibility::kAuditOnly},
                                              {"warn", Visibility::kWarn}};
constexpr Word<RedirectFailure> kFailures[] = {{"fail_closed", RedirectFailure::kFailClosed},
                                               {"fail_open", RedirectFailure::kFailOpen},
                                               {"retry_original", RedirectFailure::kRetryOriginal}};

void load_dns_redirect(Context& context, YamlNode node, const std::string& path, Policy& policy) {
  YamlReader reader(node, path, context.problems);
  DnsRedirectRule rule;
  load_head(reader, path, rule);
  if (reader.get("name").empty()) reader.error("name", "is missing");
  reader.mistaken("redirect_ip", "unknown key", "resolve_to");
  load_pattern(context, reader, "match", rule.match, Need::kRequired);
  std::string address;
  if (reader.text("resolve_to", address, Need::kRequired)) {
    auto parsed = IpAddress::parse(address);
    if (parsed) {
      rule.resolve_to = *parsed;
    } else {
      reader.error("resolve_to", fmt::format("\"{}\" is no IP address", address));
    }
  }
  reader.word("visibility", rule.visibility, kVisibilities);
  reader.word("on_failure", rule.on_failure, kFailures);
  policy.dns_redirects.push_back(std::move(rule));
}

void load_redirect_target(YamlReader& reader, ConnectRedirectRule& rule) {
  const bool target = reader.text("redirect_to", rule.redirect_to);
  std::string socket;
  rule.unix_socket = reader.text("redirect_to_unix", socket);
  if (target == rule.unix_socket) {
    reader.error("redirect_to", target ? "and redirect_to_unix exclude each other"
                                       : "is missing: write host:port, or redirect_to_unix");
    return;
  }
  if (rule.unix_socket) {
    rule.redirect_to = socket;
    if (!socket.starts_with('/') && !socket.starts_with('@')) {
      reader.error("redirect_to_unix", "must be an absolute path or @name");
    }
    return;
  }
  auto parsed = split_host_port(rule.redirect_to, 0);
  if (!parsed || parsed->port == 0) {
    reader.error("redirect_to", fmt::format("\"{}\" is not host:port", rule.redirect_to));
  }
}

void load_redirect_tls(YamlReader& rule, ConnectRedirectRule& out) {
  enum class Mode { kPassthrough, kRewriteSni };
  constexpr Word<Mode> kModes[] = {{"passthrough", Mode::kPassthrough},
                                   {"rewrite_sni", Mode::kRewriteSni}};
  rule.mistaken("tls_mode", "is written tls: {mode: ...}", "tls");
  rule.object("tls", [&](YamlReader& reader) {
    Mode mode = Mode::kPassthrough;
    reader.word("mode", mode, kModes);
    std::string sni;
    const bool has_sni = reader.text("sni", sni);
    if (mode == Mode::kRewriteSni && !has_sni) {
      reader.error("sni", "is missing: tls mode rewrite_sni needs the name to send");
    } else if (mode == Mode::kPassthrough && has_sni) {
      reader.error("sni", "has no effect unless tls mode is rewrite_sni");
    } else if (has_sni) {
      auto name = canonical_host(sni);
      if (!name) reader.error("sni", fmt::format("\"{}\" is no host name", sni));
      out.rewrite_sni = name;
    }
  });
}

void load_connect_redirect(Context& context, YamlNode node, const std::string& path,
                           Policy& policy) {
  YamlReader reader(node, path, context.problems);
  ConnectRedirectRule rule;
  load_head(reader, path, rule);
  if (reader.get("name").empty()) reader.error("name", "is missing");
  load_pattern(context, reader, "match", rule.match, Need::kRequired);
  load_redirect_target(reader, rule);
  load_redirect_tls(reader, rule);
  reader.word("visibility", rule.visibility, kVisibilities);
  reader.word("on_failure", rule.on_failure, kFailures);
  policy.connect_redirects.push_back(std::move(rule));
}

template <class Number>
void load_limit(YamlReader& reader, std::string_view key, std::optional<Number>& out,
                Number minimum, Number maximum) {
  Number value = 0;
  if (reader.integer(key, value, minimum, maximum)) out = value;
}

void load_time_limit(YamlReader& reader, std::string_view key, std::optional<nanoseconds>& out) {
  nanoseconds value{};
  if (reader.duration(key, value) && value > nanoseconds(0)) out = value;
}

void load_resource_limits(YamlReader& reader, ResourceLimits& out) {
  constexpr std::uint64_t kLarge = std::uint64_t{1} << 53;
  out.where = reader.where();
  load_limit<std::uint64_t>(reader, "max_memory_mb", out.max_memory_mb, 1, 1 << 30);
  load_limit<std::uint64_t>(reader, "memory_swap_max_mb", out.memory_swap_max_mb, 0, 1 << 30);
  load_limit<unsigned>(reader, "cpu_quota_percent", out.cpu_quota_percent, 1, 1'000'000);
  load_limit<std::uint64_t>(reader, "pids_max", out.pids_max, 1, 4'194'304);
  load_limit<std::uint64_t>(reader, "disk_read_bps_max", out.disk_read_bps_max, 1, kLarge);
  load_limit<std::uint64_t>(reader, "disk_write_bps_max", out.disk_write_bps_max, 1, kLarge);
  load_limit<std::uint64_t>(reader, "net_bandwidth_mbps", out.net_bandwidth_mbps, 1, 1 << 30);
  load_time_limit(reader, "command_timeout", out.command_timeout);
  load_time_limit(reader, "session_timeout", out.session_timeout);
  load_time_limit(reader, "idle_timeout", out.idle_timeout);
}

void load_audit(YamlReader& reader, AuditRules& out) {
  out.where = reader.where();
  reader.flag("log_allowed", out.log_allowed);
  reader.flag("log_denied", out.log_denied);
  reader.flag("log_approved", out.log_approved);
  reader.flag("include_stdout", out.include_stdout);
  reader.flag("include_stderr", out.include_stderr);
  reader.flag("include_file_content", out.include_file_content);
  reader.integer("retention_days", out.retention_days, 0u, 36'500u);
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.find_first_of(std::string_view("=\0", 2)) == std::string_view::npos;
}

}  // namespace

bool load_environment_globs(YamlReader& reader, std::string_view key,
                            std::vector<std::string>& out) {
  std::vector<LocatedText> globs;
  if (!reader.texts(key, globs)) return false;
  for (std::size_t i = 0; i < globs.size(); ++i) {
    auto glob = Glob::parse(globs[i].text, kNoSeparator);
    if (!glob) {
      reader.problems().error(
          globs[i].where, fmt::format("{}[{}]", reader.path_of(key), i),
          fmt::format("\"{}\" is no glob: {}", globs[i].text, glob.error().what));
    }
    out.push_back(std::move(globs[i].text));
  }
  return true;
}

void load_environment_rules(YamlReader& reader, EnvironmentRules& out) {
  load_environment_globs(reader, "allow", out.allow);
  load_environment_globs(reader, "deny", out.deny);
  std::uint64_t number = 0;
  if (reader.integer("max_bytes", number)) out.max_bytes = number;
  if (reader.integer("max_keys", number)) out.max_keys = number;
  reader.flag("block_iteration", out.block_iteration);
}

void load_redirects(Context& context, YamlReader& root, Policy& policy) {
  root.each_item("dns_redirects", [&](YamlNode node, const std::string& path) {
    load_dns_redirect(context, node, path, policy);
  });
  root.each_item("connect_redirects", [&](YamlNode node, const std::string& path) {
    load_connect_redirect(context, node, path, policy);
  });
}

void load_settings(YamlReader& root, Policy& policy) {
  root.object("resource_limits",
              [&](YamlReader& reader) { load_resource_limits(reader, policy.resource_limits); });
  root.object("env_policy",
              [&](YamlReader& reader) { load_environment_rules(reader, policy.env_policy); });
  root.object("audit", [&](YamlReader& reader) { load_audit(reader, policy.audit); });
  root.each_entry("env_inject", [&](YamlNode name, YamlNode value, const std::string& path) {
    std::string text;
    if (!is_variable_name(name.text())) {
      root.problems().error(name.where(), path, "is no name of an environment variable");
    } else if (value.empty() || read_text(value, path, root.problems(), text)) {
      policy.env_inject.emplace_back(std::string(name.text()), std::move(text));
    }
  });
  root.object("transparent_commands", [&](YamlReader& reader) {
    reader.texts("add", policy.transparent_commands_add);
    reader.texts("remove", policy.transparent_commands_remove);
  });
}

}  // namespace agentsh::policy::loader
