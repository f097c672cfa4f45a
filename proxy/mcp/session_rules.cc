#include "proxy/mcp/session_rules.h"

#include "proxy/mcp/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace agentsh::mcp {
namespace {

using namespace std::chrono_literals;

constexpr auto kReadThenSend = 30s;
constexpr auto kFlow = 5min;
constexpr auto kBurst = 5s;
constexpr std::size_t kBurstCalls = 10;
constexpr double kShadowSimilarity = 0.85;
constexpr std::size_t kWordLength = 12;
constexpr std::size_t kMaxWords = 50'000;
constexpr std::size_t kMaxTools = 20'000;

bool names(std::string_view written, std::string_view actual) {
  return written == "*" || written == actual;
}

bool listed(const std::vector<std::string>& servers, std::string_view server) {
  return std::ranges::any_of(servers, [server](const auto& one) { return names(one, server); });
}

const policy::McpTool* find_tool(const std::vector<policy::McpTool>& tools, std::string_view server,
                                 std::string_view tool) {
  const auto found = std::ranges::find_if(tools, [&](const policy::McpTool& one) {
    return names(one.server, server) && names(one.tool, tool);
  });
  return found == tools.end() ? nullptr : &*found;
}

bool enabled(const policy::McpRules& rules, std::string_view name) {
  return rules.cross_server &&
         std::ranges::any_of(rules.cross_server_rules,
                             [name](const auto& one) { return one.first == name && one.second; });
}

// The verb that a tool's name begins with: "read" of read_file, readFile and github.read-file.
std::string verb_of(std::string_view tool) {
  if (const std::size_t dot = tool.rfind('.'); dot != std::string_view::npos) {
    tool.remove_prefix(dot + 1);
  }
  std::string verb;
  for (const char c : tool) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (!(c >= 'a' && c <= 'z') && !(upper && verb.empty())) break;
    verb += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return verb;
}

bool reads(std::string_view tool) {
  static const std::set<std::string, std::less<>> kVerbs = {
      "read", "get",  "list", "search", "fetch",    "query",  "find",   "load", "download",
      "open", "view", "show", "cat",    "retrieve", "lookup", "export", "dump"};
  return kVerbs.contains(verb_of(tool));
}

bool sends(std::string_view tool) {
  static const std::set<std::string, std::less<>> kVerbs = {
      "send",   "post",   "create", "write", "upload",  "publish", "email",
      "mail",   "push",   "put",    "share", "comment", "forward", "notify",
      "submit", "update", "add",    "reply", "message"};
  return kVerbs.contains(verb_of(tool));
}

// Levenshtein's distance as a part of the longer name.
double similarity(std::string_view a, std::string_view b) {
  if (a.size() > 128 || b.size() > 128) return a == b ? 1 : 0;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  const std::size_t longest = std::max(a.size(), b.size());
  return longest == 0 ? 1 : 1 - static_cast<double>(row[b.size()]) / static_cast<double>(longest);
}

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// The long words of all strings in a value.
void each_word(JsonValue value, const std::function<void(std::string_view)>& use) {
  if (value.is_string()) {
    const std::string_view text = value.as_text();
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (i < text.size() && is_word_character(text[i])) continue;
      if (i - begin >= kWordLength) use(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  for (const JsonNode& element : value.elements()) each_word(JsonValue(&element), use);
  for (const auto& [key, one] : value.members()) each_word(JsonValue(&one), use);
}

Denial tool_denial(std::string_view rule, std::string_view server, std::string_view tool,
                   std::string_view why) {
  return {std::string(rule),
          fmt::format("Tool {} of MCP server {} is denied: {}", tool, server, why), false};
}

}  // namespace

std::optional<Denial> SessionRules::judge_server(const policy::McpRules& rules,
                                                 std::string_view server) {
  const auto denial = [&](std::string_view why) {
    return Denial{"mcp-server-policy", fmt::format("MCP server {} is denied: {}", server, why),
                  false};
  };
  if (listed(rules.denied_servers, server)) return denial("it is among denied_servers.");
  if (rules.server_policy == policy::McpListPolicy::kAllowlist &&
      !listed(rules.allowed_servers, server)) {
    return denial("it is not among allowed_servers.");
  }
  return {};
}

namespace {

std::optional<Denial> judge_lists(const policy::McpRules& rules, std::string_view server,
                                  std::string_view tool) {
  if (find_tool(rules.denied_tools, server, tool) != nullptr) {
    return tool_denial("mcp-tool-policy", server, tool, "it is among denied_tools.");
  }
  if (rules.tool_policy == policy::McpListPolicy::kAllowlist &&
      find_tool(rules.allowed_tools, server, tool) == nullptr) {
    return tool_denial("mcp-tool-policy", server, tool, "it is not among allowed_tools.");
  }
  return {};
}

}  // namespace

std::optional<Denial> SessionRules::shadows(std::string_view server, std::string_view tool) const {
  for (const auto& [name, first] : offered_by_) {
    if (first == server || similarity(name, tool) < kShadowSimilarity) continue;
    Denial denial = tool_denial(
        "mcp-shadow-tool", server, tool,
        fmt::format("its name is nearly that of {}, which {} offered first.", name, first));
    denial.cross_server = true;
    return denial;
  }
  return {};
}

ListedTool SessionRules::judge_listed(const policy::McpRules& rules, std::string_view server,
                                      const JsonNode& tool) {
  ListedTool listed_tool;
  listed_tool.name = JsonValue(&tool).text("name");
  listed_tool.hash = definition_hash(tool);
  std::lock_guard lock(mutex_);
  const Tool key(server, listed_tool.name);
  listed_tool.denial = judge_server(rules, server);
  if (!listed_tool.denial) listed_tool.denial = judge_lists(rules, server, listed_tool.name);
  if (!listed_tool.denial && enabled(rules, "shadow_tool")) {
    listed_tool.denial = shadows(server, listed_tool.name);
  }
  if (pins_.size() >= kMaxTools && !pins_.contains(key)) {
    if (!listed_tool.denial) {
      listed_tool.denial =
          tool_denial("mcp-too-many-tools", server, listed_tool.name, "there are too many.");
    }
    return listed_tool;
  }
  if (!listed_tool.denial) offered_by_.try_emplace(listed_tool.name, server);
  const policy::McpTool* declared = find_tool(rules.allowed_tools, server, listed_tool.name);
  const bool declared_hash = declared != nullptr && !declared->content_hash.empty();
  auto [pin, first] = pins_.try_emplace(key, listed_tool.hash);
  listed_tool.first = first;
  if (!rules.version_pinning && !declared_hash) {
    listed_tool.changed = !first && pin->second != listed_tool.hash;
    pin->second = listed_tool.hash;
    return listed_tool;
  }
  const std::string& expected = declared_hash ? declared->content_hash : pin->second;
  const bool unpinned = !declared_hash && !rules.auto_trust_first;
  listed_tool.changed = unpinned || expected != listed_tool.hash;
  if (listed_tool.changed && rules.on_change == "block") {
    changed_.insert(key);
    if (!listed_tool.denial) {
      listed_tool.denial = tool_denial(
          "mcp-version-pinning", server, listed_tool.name,
          unpinned ? "no definition of it is pinned." : "its definition is not the pinned one.");
    }
  } else {
    changed_.erase(key);
    if (rules.on_change == "allow") pin->second = listed_tool.hash;
  }
  return listed_tool;
}

std::optional<Denial> SessionRules::judge_cross_server(const policy::McpRules& rules,
                                                       std::string_view server,
                                                       std::string_view tool, JsonValue arguments,
                                                       Clock::time_point now) {
  std::optional<Denial> denial;
  if (enabled(rules, "shadow_tool")) denial = shadows(server, tool);
  if (!denial && enabled(rules, "read_then_send") && sends(tool) && last_reading_ &&
      last_reading_->server != server && now - last_reading_->at < kReadThenSend) {
    denial =
        tool_denial("mcp-read-then-send", server, tool,
                    fmt::format("server {} was read less than 30 s ago.", last_reading_->server));
  }
  if (!denial && enabled(rules, "cross_server_flow")) {
    each_word(arguments, [&](std::string_view word) {
      const auto found = words_.find(std::hash<std::string_view>{}(word));
      if (denial || found == words_.end() || found->second.server.empty() ||
          found->second.server == server || now - found->second.at > kFlow) {
        return;
      }
      denial = tool_denial(
          "mcp-cross-server-flow", server, tool,
          fmt::format("its arguments hold what server {} gave back.", found->second.server));
    });
  }
  if (denial) denial->cross_server = true;
  return denial;
}

std::optional<Denial> SessionRules::judge_rate(const policy::McpRules& rules,
                                               std::string_view server, Clock::time_point now) {
  auto& calls = calls_[std::string(server)];
  while (!calls.empty() && now - calls.front() > kBurst) calls.pop_front();
  if (enabled(rules, "burst") && calls.size() >= kBurstCalls) {
    return Denial{"mcp-burst",
                  fmt::format("MCP server {} had {} calls in 5 s; go slower.", server, kBurstCalls),
                  true};
  }
  if (rules.rate_limits) {
    const auto limit = rules.rate_limits->limit_of(server);
    auto [found, fresh] = buckets_.try_emplace(std::string(server));
    Bucket& bucket = found->second;
    const auto most = static_cast<double>(limit.burst);
    if (fresh) {
      bucket = {most, now};
    } else {
      const double minutes = std::chrono::duration<double>(now - bucket.filled).count() / 60;
      bucket.tokens = std::min(most, bucket.tokens + minutes * limit.calls_per_minute);
      bucket.filled = now;
    }
    if (bucket.tokens < 1) {
      return Denial{"mcp-rate-limit",
                    fmt::format("MCP server {} may have {} calls a minute; try again later.",
                                server, limit.calls_per_minute),
                    false};
    }
    bucket.tokens -= 1;
  }
  calls.push_back(now);
  return {};
}

std::optional<Denial> SessionRules::judge_call(const policy::McpRules& rules,
                                               std::string_view server, std::string_view tool,
                                               JsonValue arguments, Clock::time_point now) {
  if (auto denial = judge_server(rules, server)) return denial;
  if (auto denial = judge_lists(rules, server, tool)) return denial;
  std::lock_guard lock(mutex_);
  const Tool key(server, tool);
  if (changed_.contains(key)) {
    return tool_denial("mcp-version-pinning", server, tool,
                       "its definition is not the pinned one.");
  }
  const policy::McpTool* declared = find_tool(rules.allowed_tools, server, tool);
  const bool pinned = rules.version_pinning || (declared && !declared->content_hash.empty());
  if (pinned && rules.on_change == "block" && !pins_.contains(key)) {
    return tool_denial("mcp-version-pinning", server, tool,
                       "its definition has not been seen: list the server's tools first.");
  }
  if (auto denial = judge_cross_server(rules, server, tool, arguments, now)) return denial;
  if (auto denial = judge_rate(rules, server, now)) return denial;
  if (reads(tool)) last_reading_ = Reading{std::string(server), now};
  if (enabled(rules, "cross_server_flow")) {
    // What the client says by itself is nobody's.
    each_word(arguments, [&](std::string_view word) {
      if (words_.size() >= kMaxWords) return;
      words_.try_emplace(std::hash<std::string_view>{}(word), Word{{}, now});
    });
  }
  return {};
}

void SessionRules::remember_result(const policy::McpRules& rules, std::string_view server,
                                   JsonValue result, Clock::time_point now) {
  if (!enabled(rules, "cross_server_flow")) return;
  std::lock_guard lock(mutex_);
  if (words_.size() >= kMaxWords) {
    std::erase_if(words_, [now](const auto& entry) { return now - entry.second.at > kFlow; });
  }
  each_word(result, [&](std::string_view word) {
    if (words_.size() >= kMaxWords) return;
    // Who gave it first is where it comes from.
    auto [known, fresh] =
        words_.try_emplace(std::hash<std::string_view>{}(word), Word{std::string(server), now});
    if (!fresh && now - known->second.at > kFlow) known->second = Word{std::string(server), now};
  });
}

}  // namespace agentsh::mcp
