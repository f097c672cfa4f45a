// Upstreams and routes of the configuration as the gateway uses them.
#pragma once

#include "appliance/config/gateway_config.h"
#include "base/result.h"
#include "proxy/gateway/gateway_flow.h"

namespace agentsh {

// Errors: a base URL, names that are twice there.
Result<std::vector<gateway::Upstream>> read_upstreams(const config::GatewaySection& section);
// Without routes every request goes to the upstreams in their order. Errors: an upstream that is
// not there.
Result<gateway::RouteTable> read_routes(const config::GatewaySection& section);

}  // namespace agentsh
