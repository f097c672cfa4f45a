// Answers of every dialect and framing: what comes out does not depend on how the bytes arrive, and
// without anything to restore it is what came in. The first byte chooses the API, the second the
// cuts.
#include "tests/fuzz/http/cuts.h"
#include "tests/unit/llm/exchange_run.h"

#include <array>
#include <cstdlib>

namespace agentsh::llm {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Api {
  const char* host;
  const char* path;
  const char* content_type;
};

constexpr std::array<Api, 9> kApis = {{
    {"api.openai.com", "/v1/chat/completions", "text/event-stream"},
    {"api.openai.com", "/v1/chat/completions", "application/json"},
    {"api.openai.com", "/v1/responses", "text/event-stream"},
    {"api.anthropic.com", "/v1/messages", "text/event-stream"},
    {"api.anthropic.com", "/v1/messages", "application/json"},
    {"generativelanguage.googleapis.com", "/v1beta/models/g:streamGenerateContent",
     "text/event-stream"},
    {"generativelanguage.googleapis.com", "/v1beta/models/g:streamGenerateContent",
     "application/json"},
    {"bedrock-runtime.us-east-1.amazonaws.com", "/model/m/converse-stream",
     "application/vnd.amazon.eventstream"},
    {"bedrock-runtime.us-east-1.amazonaws.com", "/model/anthropic.x/invoke-with-response-stream",
     "application/vnd.amazon.eventstream"},
}};

void run_one(const Api& api, std::string_view text, std::uint32_t seed) {
  const Script script{.host = api.host,
                      .path = api.path,
                      .request = R"({"stream":true,"stream_options":{"include_usage":true}})",
                      .content_type = api.content_type,
                      .answer = std::string(text)};
  const auto cutter = [seed](std::string_view whole) { return http::cut(whole, seed); };
  static const std::vector<std::string> kValues = {"jane.doe@example.com", "a\"b\\c"};
  const Outcome whole_run = run(script, restoring_services(kValues));
  const Outcome pieces = run(script, restoring_services(kValues), cutter);
  require(whole_run.refusal.has_value() == pieces.refusal.has_value());
  require(whole_run.refusal || whole_run.answer == pieces.answer);
  require(whole_run.record.usage == pieces.record.usage || whole_run.refusal);

  const Outcome plain = run(script, std::make_shared<LlmServices>(), cutter);
  require(plain.refusal || plain.answer == text);
}

}  // namespace
}  // namespace agentsh::llm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh::llm;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  run_one(kApis[data[0] % kApis.size()], text, data[1]);
  return 0;
}
