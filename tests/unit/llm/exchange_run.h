// An exchange with scripted bodies: what comes out on both sides, and the record.
#pragma once

#include "proxy/llm/exchange.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

struct Script {
  std::string host = "api.openai.com";
  std::string method = "POST";
  std::string path = "/v1/chat/completions";
  std::string authorization;
  std::string request_type = "application/json";
  std::string request_encoding;
  std::string request;
  int status = 200;
  std::string content_type = "application/json";
  std::string answer_encoding;
  std::string answer;
  bool whole_answer = true;  // False: the server leaves before the end.
};

struct Outcome {
  std::string request;
  std::string answer;
  std::optional<Refusal> refusal;  // Of whichever side.
  Plan begin;
  Plan begin_answer;
  Record record;
};

// Divides a text into pieces.
using Cutter = std::function<std::vector<std::string_view>(std::string_view)>;
std::vector<std::string_view> whole(std::string_view text);
std::vector<std::string_view> single_bytes(std::string_view text);
Cutter cut_at(std::size_t place);

Outcome run(const Script& script, const std::shared_ptr<LlmServices>& services,
            const Cutter& cutter = whole);
// The same whole, in single bytes and cut at every place; expects equal outcomes.
// `services` makes new ones for each run.
Outcome run_all_ways(const Script& script,
                     const std::function<std::shared_ptr<LlmServices>()>& services);

// Services with the sample detectors, tokenizing, and a vault with a fixed key.
std::shared_ptr<LlmServices> tokenizing_services();
// Without anything looked for; the vault knows `values`.
std::shared_ptr<LlmServices> restoring_services(const std::vector<std::string>& values);
// The placeholder that both of the above give a value.
std::string placeholder(std::string_view value);

// The texts of a stream's deltas put together, by a key that names the text ("0.content").
std::vector<std::string> sse_data(std::string_view stream);

}  // namespace agentsh::llm
