// Records of requests to LLM APIs as JSON lines, one file for each session:
// <directory>/<session>/llm-requests.jsonl (0600), a line for the request and one for its answer.
// They hold sizes, hashes and counts, no text and no header field.
//
// add() only queues; a thread of its own writes. Old files are deleted by age and by size.
//
// Threads: any.
#pragma once

#include "appliance/config/gateway_config.h"
#include "base/result.h"
#include "proxy/llm/services.h"

#include <memory>
#include <string>

namespace agentsh {

class RequestLog final : public llm::RecordSink {
 public:
  static constexpr const char* kFileName = "llm-requests.jsonl";

  RequestLog(std::string directory, config::LlmStorageSection retention);
  // Writes what is queued.
  ~RequestLog() override;

  void take(const llm::Record& record) override;
  // Waits until what was taken before is in the files, at most some seconds.
  void flush();
  // A session's records; empty when there are none. Fails for what is no session's id.
  Result<std::string> read(const std::string& session_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh
