// Requests: what is sent does not depend on how the bytes arrive; without a profile it is what came
// in but for the usage that is asked for, and with one nothing of the mail addresses in it is left.
#include "base/json_reader.h"
#include "tests/fuzz/http/cuts.h"
#include "tests/unit/llm/exchange_run.h"

#include <array>
#include <cstdlib>

namespace agentsh::llm {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::array<std::pair<const char*, const char*>, 4> kApis = {{
    {"api.openai.com", "/v1/chat/completions"},
    {"api.openai.com", "/v1/responses"},
    {"api.anthropic.com", "/v1/messages"},
    {"generativelanguage.googleapis.com", "/v1beta/models/g:generateContent"},
}};

void run_one(std::size_t api, std::string_view text, std::uint32_t seed) {
  const Script script{.host = kApis[api].first,
                      .path = kApis[api].second,
                      .request = std::string(text),
                      .answer = "{}"};
  const auto cutter = [seed](std::string_view whole) { return http::cut(whole, seed); };
  for (bool tokenizes : {false, true}) {
    const auto services = [tokenizes] {
      return tokenizes ? tokenizing_services() : std::make_shared<LlmServices>();
    };
    const Outcome whole_run = run(script, services());
    const Outcome pieces = run(script, services(), cutter);
    require(whole_run.refusal.has_value() == pieces.refusal.has_value());
    if (whole_run.refusal) continue;
    require(whole_run.request == pieces.request);
    require(whole_run.record.model_asked == pieces.record.model_asked);
    if (!tokenizes && api != 0) require(whole_run.request == text);
    if (!text.empty() && JsonDocument::parse(text, {.max_depth = 500})) {
      require(JsonDocument::parse(whole_run.request, {.max_depth = 500}).has_value());
    }
  }
}

}  // namespace
}  // namespace agentsh::llm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh::llm;
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  run_one(data[0] % kApis.size(), text, data[1]);
  return 0;
}
