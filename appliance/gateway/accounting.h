// What requests to LLM APIs used: the ledger, the sessions' JSON lines, metrics, and the limits
// that are kept by them. One for the daemon; sessions and the gateway share it.
//
// Threads: any, after create().
#pragma once

#include "appliance/config/config.h"
#include "appliance/gateway/request_log.h"
#include "base/result.h"
#include "proxy/gateway/ledger.h"
#include "proxy/gateway/metrics.h"
#include "proxy/gateway/spending.h"

#include <memory>

namespace agentsh {

class Accounting {
 public:
  // Completes the ledger from the audit trail. `prices`: null for the shipped table.
  static Result<std::shared_ptr<Accounting>> create(const config::ServerConfig& config,
                                                    audit::Recorder& recorder,
                                                    std::shared_ptr<const llm::PriceTable> prices);

  // Takes every record. Kept alive by who has it.
  static std::shared_ptr<llm::RecordSink> sink_of(std::shared_ptr<Accounting> accounting);

  gateway::Ledger& ledger() { return *ledger_; }
  gateway::LlmMetrics& metrics() { return metrics_; }
  RequestLog& log() { return *log_; }
  const std::shared_ptr<gateway::SpendingControl>& spending() { return spending_; }

 private:
  Accounting() = default;

  std::shared_ptr<gateway::Ledger> ledger_;
  std::unique_ptr<RequestLog> log_;
  gateway::LlmMetrics metrics_;
  std::shared_ptr<gateway::SpendingControl> spending_;
};

}  // namespace agentsh
