// The policy's mcp_rules at work in one session: which servers and tools, definitions that may not
// change, calls that carry what one server gave to another, how many calls.
//
// A server is what the rules name it by: an http_service's name, "host", or "host:port" of a port
// other than 443 and 80.
//
//   allow and deny lists   by server and tool ("*" is any of either)
//   version_pinning        a tool's definition is the one of allowed_tools[].content_hash, else
//                          (auto_trust_first) the first that the session saw; another one is
//                          blocked, reported or accepted, as on_change says. Without
//                          auto_trust_first a tool that has no content_hash counts as changed.
//   cross_server           read_then_send: something is sent by one server's tool within 30 s after
//                          another's has read; cross_server_flow: a call's arguments hold a word of
//                          what another server gave back in the last 5 minutes; shadow_tool: a tool
//                          with nearly the name of another server's; burst: more than 10 calls of
//                          one server in 5 s
//   rate_limits            calls per minute, in all or per server
//
// What holds for a call holds in tools/list too: what is denied is not listed.
//
// Threads: any (one lock).
#pragma once

#include "base/json_reader.h"
#include "policies/model.h"

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace agentsh::mcp {

using Clock = std::chrono::steady_clock;

struct Denial {
  std::string rule;
  std::string message;
  bool cross_server = false;
};

// What became of one tool of a tools/list answer.
struct ListedTool {
  std::string name;
  std::string hash;
  bool first = false;    // Not seen before.
  bool changed = false;  // Its definition is not the pinned one.
  std::optional<Denial> denial;
};

class SessionRules {
 public:
  // The server as a whole.
  static std::optional<Denial> judge_server(const policy::McpRules& rules, std::string_view server);
  // A call, which counts from now on unless it is denied.
  std::optional<Denial> judge_call(const policy::McpRules& rules, std::string_view server,
                                   std::string_view tool, JsonValue arguments,
                                   Clock::time_point now);
  // One element of a tools/list answer.
  ListedTool judge_listed(const policy::McpRules& rules, std::string_view server,
                          const JsonNode& tool);
  // What a server gave back, for cross_server_flow.
  void remember_result(const policy::McpRules& rules, std::string_view server, JsonValue result,
                       Clock::time_point now);

 private:
  using Tool = std::pair<std::string, std::string>;  // Server and name.
  struct Reading {
    std::string server;
    Clock::time_point at;
  };
  struct Word {
    std::string server;
    Clock::time_point at;
  };
  struct Bucket {
    double tokens = 0;
    Clock::time_point filled;
  };

  std::optional<Denial> judge_cross_server(const policy::McpRules& rules, std::string_view server,
                                           std::string_view tool, JsonValue arguments,
                                           Clock::time_point now);
  std::optional<Denial> judge_rate(const policy::McpRules& rules, std::string_view server,
                                   Clock::time_point now);
  std::optional<Denial> shadows(std::string_view server, std::string_view tool) const;

  std::mutex mutex_;
  std::map<Tool, std::string> pins_;
  std::set<Tool> changed_;
  std::map<std::string, std::string, std::less<>> offered_by_;  // Tool's name: its first server.
  std::map<std::string, std::deque<Clock::time_point>, std::less<>> calls_;
  std::map<std::string, Bucket, std::less<>> buckets_;
  std::optional<Reading> last_reading_;
  std::unordered_map<std::size_t, Word> words_;  // By hash.
};

}  // namespace agentsh::mcp
