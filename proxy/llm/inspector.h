// Exchanges with LLM APIs as an inspector of proxied HTTP requests (proxy/flows/http_inspector.h).
//
// One factory per session. Threads: any for the factory; an inspector lives on its connection's.
#pragma once

#include "proxy/flows/http_inspector.h"
#include "proxy/llm/services.h"

#include <memory>

namespace agentsh::llm {

// Null inspectors for requests that are not for an LLM API.
std::shared_ptr<flows::HttpInspectorFactory> make_inspector_factory(
    std::shared_ptr<const LlmServices> services);

}  // namespace agentsh::llm
