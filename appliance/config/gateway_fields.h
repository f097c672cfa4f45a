// Fields of the gateway's lists.
#pragma once

#include "appliance/config/field.h"
#include "appliance/config/gateway_config.h"

namespace agentsh::config {

FieldPtr gateway_listeners_field(std::vector<GatewayListener>& value);
FieldPtr gateway_upstreams_field(std::vector<GatewayUpstream>& value);
FieldPtr gateway_routes_field(std::vector<GatewayRoute>& value);
FieldPtr llm_limits_field(std::vector<LlmLimit>& value);

}  // namespace agentsh::config
