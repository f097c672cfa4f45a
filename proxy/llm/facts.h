// What is learned about an exchange while its bytes go by.
#pragma once

#include "proxy/llm/field_map.h"
#include "proxy/llm/usage.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

// Of a request's body.
struct RequestFacts {
  std::string model;
  std::uint64_t max_tokens = 0;  // Of one answer; 0: not said.
  std::uint64_t answers = 1;     // Asked for.
  std::uint64_t bytes = 0;
  bool streams = false;
};

// Of a response, whole or streamed.
struct AnswerFacts {
  static constexpr std::size_t kMaxTools = 64;
  static constexpr std::size_t kMaxName = 256;

  explicit AnswerFacts(bool keep_largest_counts = false) : usage(keep_largest_counts) {}

  std::string model;
  std::string response_id;
  std::string service_tier;
  std::string speed;
  std::string finish_reason;  // The last; those of several choices joined by commas.
  std::string error_type;
  std::vector<std::string> tools;  // Called by the model, each name once.
  UsageCounter usage;
  bool complete = false;  // The stream came to the end that its dialect has.

  // Takes in a value that is no text to be edited.
  void take(const FieldReader::Token& token);
};

}  // namespace agentsh::llm
