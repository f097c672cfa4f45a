// One exchange with an LLM as the ledger keeps it: who, which model, how many tokens, what it cost.
#pragma once

#include "base/json_reader.h"
#include "proxy/llm/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::gateway {

struct LedgerRow {
  std::string id;             // Of the request; unique.
  std::int64_t started = 0;   // Nanoseconds since 1970.
  std::int64_t duration = 0;  // Nanoseconds.
  std::string session;
  std::string key;
  std::string dialect;
  std::string provider;
  std::string model_asked;
  std::string model_answered;
  std::int64_t status = 0;
  std::string ending;
  bool usage_known = false;
  std::int64_t input = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;
  std::int64_t output = 0;
  std::int64_t reasoning = 0;
  bool priced = false;
  std::int64_t nano_dollars = 0;
  std::int64_t redactions = 0;
};

LedgerRow to_row(const llm::Record& record);

// From an `llm_request` event of the audit trail. Nothing when it is none.
std::optional<LedgerRow> to_row(JsonValue event);

}  // namespace agentsh::gateway
