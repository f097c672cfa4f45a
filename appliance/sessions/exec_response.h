// The JSON document that `exec` answers with: the flat form (exit_code, stdout, stderr, events with
// policy.decision) and agentsh's grouped one (result, event_groups, resources, guidance) in the
// same object.
#pragma once

#include "appliance/sessions/exec_request.h"
#include "audit/recorder.h"
#include "base/time_format.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh {

struct StreamOutput {
  std::string text;
  std::uint64_t total = 0;
};

// Why a command did not run as asked, for people and programs.
struct ExecProblem {
  std::string code;  // E_POLICY_DENIED E_APPROVAL_DENIED E_APPROVAL_TIMEOUT E_COMMAND_FAILED
  std::string message;
  std::string rule;
  std::string target;  // What was refused.
  bool blocked = false;
  bool retryable = false;
};

struct ExecOutcome {
  std::string command_id;
  std::string session_id;
  WallTime timestamp{};
  int exit_code = 0;
  StreamOutput standard_output;
  StreamOutput standard_error;
  std::chrono::milliseconds duration{};
  std::chrono::microseconds cpu_user{};
  std::chrono::microseconds cpu_system{};
  std::int64_t memory_peak_kb = 0;
  std::optional<ExecProblem> problem;
  std::vector<audit::RecordedEvent> events;
};

std::string render(const ExecRequest& request, const ExecOutcome& outcome);

// The line that a person sees on stderr when a command was refused.
std::string refusal_text(const ExecProblem& problem);

}  // namespace agentsh
