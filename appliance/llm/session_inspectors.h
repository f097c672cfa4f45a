// Inspectors of one session's requests to LLM APIs. The session's services are made when the first
// such request comes, which waits for the scanner if that is still being built.
//
// Threads: any.
#pragma once

#include "appliance/llm/llm_service.h"

#include <functional>
#include <memory>

namespace agentsh {

// `sink`: where the records go. `budget`: what the session may spend; null: anything.
std::shared_ptr<flows::HttpInspectorFactory> make_session_inspectors(
    std::shared_ptr<const LlmService::Shared> shared, std::string session_id,
    std::shared_ptr<llm::RecordSink> sink, std::shared_ptr<llm::Budget> budget);

}  // namespace agentsh
