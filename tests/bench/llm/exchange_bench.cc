// What an exchange costs: an 8 KB request, events of a stream, tokens of JSON. The whole catalogue
// of detectors where something is looked for.
#include "dlp/catalogue.h"
#include "dlp/scanner.h"
#include "proxy/llm/exchange.h"
#include "proxy/llm/json_lexer.h"

#include <benchmark/benchmark.h>

#include <cstdlib>

namespace agentsh::llm {
namespace {

std::shared_ptr<const dlp::Profile> whole_catalogue() {
  static const auto profile = [] {
    auto detectors = dlp::builtin_catalogue();
    if (!detectors) std::abort();
    auto scanner = dlp::Scanner::build(std::move(*detectors));
    if (!scanner) std::abort();
    auto made = dlp::Profile::make(*scanner, {.mode = dlp::Mode::kTokenize});
    if (!made) std::abort();
    return *made;
  }();
  return profile;
}

// A conversation of `bytes` bytes: prose, code, one mail address.
std::string chat_request(std::size_t bytes, bool stream) {
  std::string body = R"({"model":"gpt-4o","temperature":0.2,"stream":)";
  body += stream ? "true" : "false";
  body += R"(,"messages":[{"role":"system","content":"You are a careful assistant."})";
  const std::string turn =
      R"(,{"role":"user","content":"Please look at this function and say what it returns:\n\nint sum(const std::vector<int>& v) {\n  int total = 0;\n  for (int x : v) total += x;\n  return total;\n}\n\nThen write a test for it, in the style of the ones in tests/unit/base, with the cases of an empty vector, one element and overflow."})";
  body += R"(,{"role":"user","content":"Send the result to jane.doe@example.com, please."})";
  while (body.size() + turn.size() < bytes) body += turn;
  return body + "]}";
}

std::string chat_event(std::string_view text) {
  return R"(data: {"id":"chatcmpl-BsFJ7Y0yD4yTcJ8VxXoQ2iF0Zz9aB","object":"chat.completion.chunk","created":1752000000,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_07871e2ad8","choices":[{"index":0,"delta":{"content":")" +
         std::string(text) +
         R"("},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"a8Xk2"})" +
         "\n\n";
}

const RequestHeadInfo kHead = {.host = "api.openai.com",
                               .method = "POST",
                               .path = "/v1/chat/completions",
                               .content_type = "application/json"};

Target chat_target() {
  return *recognise({.host = kHead.host, .method = kHead.method, .path = kHead.path}, {});
}

std::shared_ptr<LlmServices> make_services(bool dlp) {
  auto services = std::make_shared<LlmServices>();
  services->vault = std::make_shared<dlp::Vault>();
  if (dlp) services->request_profile = whole_catalogue();
  return services;
}

// Request and a short answer, from recognition to the record.
void whole_exchange(benchmark::State& state, bool dlp) {
  const auto services = make_services(dlp);
  const std::string request = chat_request(static_cast<std::size_t>(state.range(0)), false);
  const std::string answer =
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"It returns the sum of the elements.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1800,"completion_tokens":9,"total_tokens":1809,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}})";
  std::string out;
  for (auto _ : state) {
    out.clear();
    Exchange exchange(chat_target(), services, kHead);
    benchmark::DoNotOptimize(exchange.begin());
    if (exchange.push_request(request, true, out)) std::abort();
    benchmark::DoNotOptimize(exchange.begin_answer({.content_type = "application/json"}));
    if (exchange.push_answer(answer, true, out)) std::abort();
    exchange.finish();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * request.size()));
}
void request_and_answer(benchmark::State& state) {
  whole_exchange(state, false);
}
void request_and_answer_with_dlp(benchmark::State& state) {
  whole_exchange(state, true);
}
BENCHMARK(request_and_answer)->Arg(8 << 10)->Arg(300 << 10);
BENCHMARK(request_and_answer_with_dlp)->Arg(8 << 10)->Arg(300 << 10);

// One event of a stream.
void events(benchmark::State& state, bool restores, bool scans) {
  const auto services = make_services(false);
  if (restores && !services->vault->placeholder_for("jane.doe@example.com", "EMAIL")) std::abort();
  if (scans) services->answer_profile = whole_catalogue();
  std::string out;
  Exchange exchange(chat_target(), services, kHead);
  exchange.begin();
  if (exchange.push_request(R"({"model":"gpt-4o","stream":true})", true, out)) std::abort();
  exchange.begin_answer({.content_type = "text/event-stream"});
  const std::string event = chat_event(" returns the");
  for (auto _ : state) {
    out.clear();
    if (exchange.push_answer(event, false, out)) std::abort();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * event.size()));
}
void event_counted(benchmark::State& state) {
  events(state, false, false);
}
void event_restored(benchmark::State& state) {
  events(state, true, false);
}
void event_restored_and_scanned(benchmark::State& state) {
  events(state, true, true);
}
BENCHMARK(event_counted);
BENCHMARK(event_restored);
BENCHMARK(event_restored_and_scanned);

void lexing(benchmark::State& state) {
  const std::string request = chat_request(8 << 10, true);
  for (auto _ : state) {
    JsonLexer lexer;
    JsonToken token;
    lexer.feed(request);
    while (lexer.next(token) == JsonStep::kToken) benchmark::DoNotOptimize(token);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * request.size()));
}
BENCHMARK(lexing);

}  // namespace
}  // namespace agentsh::llm
