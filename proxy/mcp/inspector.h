// One exchange that may be MCP's.
#pragma once

#include "proxy/mcp/session_mcp.h"

namespace agentsh::mcp {

// `policy` has mcp_rules. `server` as session_rules.h names it.
std::unique_ptr<flows::HttpInspector> make_mcp_inspector(
    std::shared_ptr<SessionMcp> session, std::shared_ptr<const policy::CompiledPolicy> policy,
    std::string server, const policy::Actor& actor);

}  // namespace agentsh::mcp
