// The control API's resources, each group bound to the parts of the daemon that it is about. Paths
// and JSON are those of agentsh's documentation; GET /openapi.json lists them.
//
// Threads: the API's loop. Lifetime: everything referred to outlives the router.
#pragma once

#include "appliance/api/router.h"
#include "appliance/gateway/accounting.h"
#include "appliance/sessions/command_runner.h"
#include "appliance/sessions/session_registry.h"
#include "audit/recorder.h"
#include "policies/approval_queue.h"
#include "policies/policy_store.h"
#include "proxy/gateway/keys.h"

namespace agentsh {

// /sessions, /sessions/{id}, their exec, kill, output, publish, summary.
void add_session_routes(api::Router& router, SessionRegistry& sessions, CommandRunner& commands,
                        NetworkService& network);

// /sessions/{id}/events, /history, /stats, /events, /events/search.
void add_event_routes(api::Router& router, SessionRegistry& sessions, audit::Recorder& recorder,
                      boost::asio::any_io_executor executor);

// /approvals, /policies, /policy/test, /ca.
void add_policy_routes(api::Router& router, SessionRegistry& sessions,
                       policy::ApprovalQueue& approvals, policy::PolicyStore& policies,
                       SessionTrust& trust, const config::ServerConfig& config);

// What the handlers about LLM traffic show.
struct LlmState {
  std::shared_ptr<Accounting> accounting;
  std::shared_ptr<gateway::KeyStore> keys;
  bool enabled = true;
  std::string mode;
  std::string dlp_mode;
  // The ids of the detectors that are on; none while the scanner is being built.
  std::function<std::vector<std::string>()> detectors;
  std::vector<std::string> gateway_addresses;
};
// /usage, /proxy, /sessions/{id}/proxy, /sessions/{id}/llm-requests, /gateway/keys.
void add_llm_routes(api::Router& router, SessionRegistry& sessions, audit::Recorder& recorder,
                    LlmState state);

struct Health {
  std::chrono::steady_clock::time_point started;
  const audit::Recorder& recorder;
  const SessionRegistry& sessions;
  std::string mechanism;
  std::shared_ptr<Accounting> accounting;
};
// /health, /ready, /metrics, /openapi.json.
void add_health_routes(api::Router& router, Health health, const config::ServerConfig& config);

}  // namespace agentsh
