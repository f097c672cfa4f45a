// Sections of a policy about HTTP upstreams, their secrets, MCP tools and packages. Parsed and
// checked; what enforces them says so in `policy explain`.
#pragma once

#include "policies/verdict.h"
#include "policies/yaml_reader.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

struct HttpServiceRule {
  std::string name;
  std::string message;
  SourcePosition where;
  std::vector<std::string> methods;  // Upper case. Empty: any.
  std::vector<LocatedText> paths;    // Globs with "/" as separator.
  Decision decision = Decision::kDeny;
  std::optional<std::chrono::nanoseconds> timeout;
};

// A secret that stays outside: the sandbox sees a placeholder of the same length.
struct ServiceSecret {
  std::string ref;                // scheme://host/path#field
  std::string format;             // "prefix{rand:N}"
  std::string expose_as;          // Environment variable of the placeholder.
  std::size_t random_length = 0;  // N.
};

struct HttpService {
  std::string name;
  SourcePosition where;
  std::string upstream;              // https://host[:port][/path]
  std::string host;                  // Of `upstream`, lower case.
  std::vector<std::string> aliases;  // Lower case.
  std::string expose_as;             // Environment variable; defaulted by the loader.
  bool allow_direct = false;
  bool default_allow = false;
  std::vector<HttpServiceRule> rules;
  std::optional<ServiceSecret> secret;
  std::string inject_header;    // Name of the header; empty: none.
  std::string inject_template;  // Contains {{secret}}.
  bool scrub_response = false;
};

struct SecretProvider {
  std::string name;
  std::string type;  // keyring vault aws-sm gcp-sm azure-kv op
  SourcePosition where;
  std::vector<std::pair<std::string, std::string>> options;
};

struct McpTool {
  std::string server;
  std::string tool;
  std::string content_hash;
};

struct McpRateLimits {
  struct Limit {
    std::string server;  // Empty: of every other server.
    int calls_per_minute = 60;
    int burst = 10;  // Calls at once.
  };
  Limit others;
  std::vector<Limit> servers;

  const Limit& limit_of(std::string_view server) const {
    for (const Limit& limit : servers) {
      if (limit.server == server) return limit;
    }
    return others;
  }
};

enum class McpListPolicy { kNone, kAllowlist, kDenylist };

struct McpRules {
  SourcePosition where;
  bool enforce_policy = false;
  McpListPolicy tool_policy = McpListPolicy::kNone;
  McpListPolicy server_policy = McpListPolicy::kNone;
  std::vector<McpTool> allowed_tools;
  std::vector<McpTool> denied_tools;
  std::vector<std::string> allowed_servers;
  std::vector<std::string> denied_servers;
  bool version_pinning = false;
  std::string on_change = "block";  // block alert allow
  bool auto_trust_first = false;
  bool cross_server = false;
  std::vector<std::pair<std::string, bool>> cross_server_rules;
  std::optional<McpRateLimits> rate_limits;
};

enum class PackageAction { kAllow, kWarn, kApprove, kBlock };

struct PackageRule {
  SourcePosition where;
  std::vector<std::string> packages;
  std::vector<std::string> name_patterns;
  std::string finding_type;
  std::string severity;
  std::vector<std::string> reasons;
  std::vector<std::string> license_allow;
  std::vector<std::string> license_deny;
  std::string ecosystem;
  PackageAction action = PackageAction::kBlock;
  std::string reason;
};

}  // namespace agentsh::policy
