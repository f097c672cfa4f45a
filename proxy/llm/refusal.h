// Answers of our own to a client of an LLM API, in the error shape of its dialect, so that the
// client's program shows the message where it shows the provider's.
#pragma once

#include "proxy/llm/dialect.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::llm {

struct Refusal {
  int status = 403;
  std::string code;     // Stable: "dlp_blocked", "budget_exceeded", ...
  std::string message;  // A sentence for people.
  std::optional<std::chrono::seconds> retry_after = {};
};

struct RefusalBody {
  std::string content_type;
  std::string body;
  // Bedrock's clients read the error's type from a header field; empty for others.
  std::string error_type;
};

// OpenAI {error:{message,type,param,code}}, Anthropic {type,error:{type,message}},
// Gemini {error:{code,message,status}}, Bedrock {message} with x-amzn-ErrorType.
RefusalBody render(const Refusal& refusal, Family family);

}  // namespace agentsh::llm
