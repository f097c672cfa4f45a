// The Model Context Protocol over HTTP in one session: streamable HTTP (POST with a JSON or an
// event stream for an answer, GET for a stream) and the older transport with separate streams.
// Calls are judged by the policy's mcp_rules (session_rules.h), tools that are denied are not
// listed, refusals are JSON-RPC errors.
//
// What looks like a JSON body is held until it is complete, at most kMaxBody bytes, and only where
// the policy has mcp_rules. With enforce_policy: false everything is told and nothing is denied.
//
// Threads: any; an inspector stays on its connection's.
#pragma once

#include "base/lock_guarded.h"
#include "policies/compiled_policy.h"
#include "policies/gate.h"
#include "proxy/flows/http_inspector.h"
#include "proxy/mcp/session_rules.h"

#include <memory>
#include <set>
#include <string>

namespace agentsh::mcp {

inline constexpr std::size_t kMaxBody = 8 << 20;

class SessionMcp final : public flows::HttpInspectorFactory,
                         public std::enable_shared_from_this<SessionMcp> {
 public:
  static std::shared_ptr<SessionMcp> create(std::shared_ptr<policy::Gate> gate);

  std::unique_ptr<flows::HttpInspector> inspect(const policy::Actor& actor,
                                                const policy::HttpFacts& facts) override;

  // For inspectors.
  policy::Gate& gate() { return *gate_; }
  SessionRules& rules() { return rules_; }
  // Servers that were seen to speak MCP.
  bool is_known(const std::string& server) { return servers_.lock()->contains(server); }
  void mark(const std::string& server);

 private:
  explicit SessionMcp(std::shared_ptr<policy::Gate> gate) : gate_(std::move(gate)) {}

  const std::shared_ptr<policy::Gate> gate_;
  SessionRules rules_;
  LockGuarded<std::set<std::string>> servers_;
};

}  // namespace agentsh::mcp
