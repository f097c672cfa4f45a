// What is known of one exchange with an LLM when it is over: for the audit event `llm_request`, the
// session's JSONL file, the ledger and metrics. No text and no credential is in it.
#pragma once

#include "audit/event.h"
#include "base/time_format.h"
#include "dlp/redactor.h"
#include "proxy/llm/dialect.h"
#include "proxy/llm/prices.h"
#include "proxy/llm/usage.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::llm {

// Hits of one detector in one field.
struct DlpFinding {
  std::string detector;
  std::string action;  // Mode of the detector: "redact", "tokenize", "block", "audit".
  std::string field;
  std::uint32_t count = 0;
  float confidence = 0;
  bool in_answer = false;
};

enum class Ending : std::uint8_t {
  kComplete,
  kRefused,      // By us, before or while it was sent.
  kInterrupted,  // One of the two sides left before the answer's end: counted is what is known.
};
std::string_view to_string(Ending ending);

struct Record {
  std::string id;  // "req_" and 16 hexadecimal digits.
  std::string session_id;
  std::string command_id;
  std::string key_id;  // Of the gateway; empty otherwise.
  WallTime started{};
  std::chrono::nanoseconds duration{0};
  // Until the first byte of the answer's content; absent when there was none.
  std::optional<std::chrono::nanoseconds> first_byte;

  Dialect dialect = Dialect::kOther;
  std::string provider;
  std::string host;
  std::string method;
  std::string path;  // Without query: it may hold a key.
  std::string model_asked;
  std::string model_answered;
  std::string response_id;
  std::string service_tier;
  std::string finish_reason;
  std::string error_type;
  std::vector<std::string> tools;
  int status = 0;
  bool streamed = false;
  Ending ending = Ending::kComplete;
  std::string refusal;  // Its code.

  TokenUsage usage;
  Cost cost;

  std::vector<DlpFinding> findings;
  std::uint64_t replaced = 0;
  std::uint64_t request_bytes = 0;
  std::uint64_t answer_bytes = 0;
  std::string request_sha256;
  std::string answer_sha256;

  void add_findings(const dlp::Redactor& redactor, const dlp::Profile& profile, bool in_answer);
};

// The audit event: type "llm_request", GenAI attributes (gen_ai.*) and ours (llm.*, dlp.*).
audit::Event to_event(const Record& record);

// Two lines of the session's llm-requests.jsonl, without line breaks.
std::string request_line(const Record& record);
std::string response_line(const Record& record);

}  // namespace agentsh::llm
