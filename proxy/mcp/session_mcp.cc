#include "proxy/mcp/session_mcp.h"

#include "proxy/mcp/inspector.h"

#include <fmt/format.h>

namespace agentsh::mcp {
namespace {

constexpr std::size_t kMaxServers = 10'000;

std::string server_of(const policy::HttpFacts& facts) {
  if (!facts.via_service.empty()) return std::string(facts.via_service);
  if (facts.port == (facts.scheme == "https" ? 443 : 80)) return std::string(facts.host);
  return fmt::format("{}:{}", facts.host, facts.port);
}

}  // namespace

std::shared_ptr<SessionMcp> SessionMcp::create(std::shared_ptr<policy::Gate> gate) {
  return std::shared_ptr<SessionMcp>(new SessionMcp(std::move(gate)));
}

std::unique_ptr<flows::HttpInspector> SessionMcp::inspect(const policy::Actor& actor,
                                                          const policy::HttpFacts& facts) {
  auto policy = gate_->policy();
  if (!policy->policy().mcp_rules) return nullptr;
  if (facts.method != "POST" && facts.method != "GET") return nullptr;
  return make_mcp_inspector(shared_from_this(), std::move(policy), server_of(facts), actor);
}

void SessionMcp::mark(const std::string& server) {
  auto servers = servers_.lock();
  if (servers->size() < kMaxServers) servers->insert(server);
}

}  // namespace agentsh::mcp
