// Requests: what is replaced and what stays, usage asked for, refusals; at every chunk border.
#include "tests/unit/dlp/sample_detectors.h"
#include "tests/unit/llm/exchange_run.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

constexpr std::string_view kMail = "jane.doe@example.com";

std::string sent(Script script) {
  return run_all_ways(script, tokenizing_services).request;
}

std::shared_ptr<LlmServices> plain_services() {
  return std::make_shared<LlmServices>();
}

TEST(LlmRequest, OnlyTextsChange) {
  const std::string token = placeholder(kMail);
  EXPECT_EQ(sent({.request = R"({ "model" : "gpt-4o", "temperature": 1.50e0,
 "messages":[{"role":"user","content":"Write to jane.doe\u0040example.com, please\u0021"},
 {"role":"tool","tool_call_id":"jane.doe@example.com","content":[{"type":"text","text":"to: jane.doe@example.com"},
 {"type":"image_url","image_url":{"url":"data:image/png;base64,jane.doe@example.com"}},
 {"type":"image_url","image_url":{"url":"https://x/?to=jane.doe@example.com"}}]}],"max_tokens": 12345678 })"}),
            R"({ "model" : "gpt-4o", "temperature": 1.50e0,
 "messages":[{"role":"user","content":"Write to )" +
                token + R"(, please\u0021"},
 {"role":"tool","tool_call_id":"jane.doe@example.com","content":[{"type":"text","text":"to: )" +
                token + R"("},
 {"type":"image_url","image_url":{"url":"data:image/png;base64,jane.doe@example.com"}},
 {"type":"image_url","image_url":{"url":"https://x/?to=)" +
                token + R"("}}]}],"max_tokens": 12345678 })");
}

TEST(LlmRequest, ToolArgumentsAreReadOneLevelDeeper) {
  const std::string token = placeholder(kMail);
  EXPECT_EQ(
      sent(
          {.request =
               R"({"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"to\":\"a\\njane.doe\\u0040example.com\\n\",\"n\":1}"}}]}]})"}),
      R"({"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"to\":\"a\\n)" +
          token + R"(\\n\",\"n\":1}"}}]}]})");
}

TEST(LlmRequest, EveryDialectsTexts) {
  const std::string token = placeholder(kMail);
  const struct {
    const char* host;
    const char* path;
    const char* before;
    const char* after;
  } cases
      [] =
          {
              {"api.anthropic.com", "/v1/messages",
               R"({"model":"claude-opus-4-5","system":[{"type":"text","text":"jane.doe@example.com"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"jane.doe@example.com"}]},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"jane.doe@example.com"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"jane.doe@example.com"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":["jane.doe@example.com"]}}]}]})",
               R"({"model":"claude-opus-4-5","system":[{"type":"text","text":"@"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"@"}]},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"jane.doe@example.com"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"@"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":["@"]}}]}]})"},
              {"api.openai.com", "/v1/responses",
               R"({"model":"gpt-5","instructions":"jane.doe@example.com","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"jane.doe@example.com"}]},{"type":"function_call_output","call_id":"c","output":"jane.doe@example.com"},{"type":"function_call","name":"f","call_id":"c","arguments":"{\"a\":\"jane.doe@example.com\"}"},{"type":"reasoning","encrypted_content":"jane.doe@example.com","summary":[]}]})",
               R"({"model":"gpt-5","instructions":"@","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"@"}]},{"type":"function_call_output","call_id":"c","output":"@"},{"type":"function_call","name":"f","call_id":"c","arguments":"{\"a\":\"@\"}"},{"type":"reasoning","encrypted_content":"jane.doe@example.com","summary":[]}]})"},
              {"api.openai.com", "/v1/embeddings",
               R"({"model":"e","input":["jane.doe@example.com"]})",
               R"({"model":"e","input":["@"]})"},
              {"generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent",
               R"({"systemInstruction":{"parts":[{"text":"jane.doe@example.com"}]},"contents":[{"role":"user","parts":[{"text":"jane.doe@example.com"},{"inlineData":{"mimeType":"image/png","data":"jane.doe@example.com"}},{"functionResponse":{"name":"f","response":{"r":"jane.doe@example.com"}}}]}]})", R"({"systemInstruction":{"parts":[{"text":"@"}]},"contents":[{"role":"user","parts":[{"text":"@"},{"inlineData":{"mimeType":"image/png","data":"jane.doe@example.com"}},{"functionResponse":{"name":"f","response":{"r":"@"}}}]}]})"},
              {"bedrock-runtime.us-east-1.amazonaws.com", "/model/amazon.nova-pro-v1:0/converse",
               R"({"system":[{"text":"jane.doe@example.com"}],"messages":[{"role":"user","content":[{"text":"jane.doe@example.com"},{"image":{"format":"png","source":{"bytes":"jane.doe@example.com"}}},{"toolResult":{"toolUseId":"t","content":[{"json":{"a":"jane.doe@example.com"}}]}}]}]})",
               R"({"system":[{"text":"@"}],"messages":[{"role":"user","content":[{"text":"@"},{"image":{"format":"png","source":{"bytes":"jane.doe@example.com"}}},{"toolResult":{"toolUseId":"t","content":[{"json":{"a":"@"}}]}}]}]})"},
              // Where nothing is known every string is text.
              {"api.openai.com", "/v1/moderations", R"({"input":"jane.doe@example.com"})",
               R"({"input":"@"})"},
          };
  for (const auto& c : cases) {
    std::string after = c.after;
    for (std::size_t at = 0; (at = after.find("\"@")) != std::string::npos;) {
      after.replace(at + 1, 1, token);
    }
    for (std::size_t at = 0; (at = after.find("@\\\"")) != std::string::npos;) {
      after.replace(at, 1, token);
    }
    const Script script{.host = c.host, .path = c.path, .request = c.before};
    EXPECT_EQ(run(script, tokenizing_services()).request, after) << c.path;
    EXPECT_EQ(run(script, tokenizing_services(), single_bytes).request, after) << c.path;
  }
}

TEST(LlmRequest, FindingsSayWhereAndNotWhat) {
  const Outcome outcome = run_all_ways(
      {.request =
           R"({"model":"gpt-4o","messages":[{"role":"user","content":"a jane.doe@example.com b jane.doe@example.com"}]})",
       .answer = "{}"},
      tokenizing_services);
  ASSERT_EQ(outcome.record.findings.size(), 1U);
  const DlpFinding& finding = outcome.record.findings[0];
  EXPECT_EQ(finding.detector, "email");
  EXPECT_EQ(finding.action, "tokenize");
  EXPECT_EQ(finding.field, "messages[0].content");
  EXPECT_EQ(finding.count, 2U);
  EXPECT_EQ(outcome.record.replaced, 2U);
  EXPECT_EQ(request_line(outcome.record).find("jane"), std::string::npos);
  EXPECT_EQ(audit::to_json(to_event(outcome.record)).find("jane"), std::string::npos);
}

TEST(LlmRequest, AsksForUsageWhereAStreamDoesNotSayIt) {
  const struct {
    const char* before;
    const char* after;
  } cases[] = {
      {R"({"model":"m","stream":true,"messages":[]})",
       R"({"model":"m","stream":true,"messages":[],"stream_options":{"include_usage":true}})"},
      {R"({"model":"m","stream":true,"stream_options":{}})",
       R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"model":"m","stream_options":{ "x":1 },"stream":true})",
       R"({"model":"m","stream_options":{ "x":1 ,"include_usage":true},"stream":true})"},
      {R"({"stream":true,"stream_options":{"include_usage":false , "x":[1]}})",
       R"({"stream":true,"stream_options":{"include_usage":true , "x":[1]}})"},
      {R"({"stream":true,"stream_options":null})",
       R"({"stream":true,"stream_options":{"include_usage":true}})"},
      {R"({"stream":true,"stream_options":{"include_usage":true}})", nullptr},
      {R"({"stream":false,"stream_options":{}})", nullptr},
      {R"({"stream":false,"messages":[]})", nullptr},
      {R"({"messages":[{"content":"x","stream":true}]})", nullptr},
  };
  for (const auto& c : cases) {
    const Outcome outcome = run_all_ways({.request = c.before, .answer = "{}"}, plain_services);
    EXPECT_EQ(outcome.request, c.after == nullptr ? c.before : c.after);
    const Outcome with_dlp =
        run_all_ways({.request = c.before, .answer = "{}"}, tokenizing_services);
    EXPECT_EQ(with_dlp.request, outcome.request);
  }
  // A server that refuses fields which it does not know is not asked.
  const char* text = R"({"stream":true})";
  EXPECT_EQ(
      run({.host = "api.mistral.ai", .request = text, .answer = "{}"}, plain_services()).request,
      text);
}

TEST(LlmRequest, FailsClosed) {
  const struct {
    const char* request;
    int status;
    const char* code;
  } cases[] = {
      {R"({"model":"gpt-4o",)", 400, "invalid_json"},
      {R"({"model":"gpt-4o"}x)", 400, "invalid_json"},
      {R"(hello)", 400, "invalid_json"},
      {R"({"model":"a","model":"b"})", 400, "ambiguous_json"},
      {R"({"stream":false,"str\u0065am":true})", 400, "ambiguous_json"},
  };
  for (const auto& c : cases) {
    const Outcome outcome = run_all_ways({.request = c.request}, tokenizing_services);
    ASSERT_TRUE(outcome.refusal) << c.request;
    EXPECT_EQ(outcome.refusal->status, c.status);
    EXPECT_EQ(outcome.refusal->code, c.code);
    EXPECT_EQ(outcome.record.ending, Ending::kRefused);
    EXPECT_EQ(outcome.record.refusal, c.code);
  }
  const Outcome deep =
      run({.request = "{\"a\":" + std::string(100'000, '[')}, tokenizing_services());
  ASSERT_TRUE(deep.refusal);
  EXPECT_EQ(deep.refusal->code, "invalid_json");
}

TEST(LlmRequest, LargeBodiesAreRefused) {
  const auto services = tokenizing_services();
  services->max_request_bytes = 100;
  const Outcome outcome = run({.request = "{\"a\":\"" + std::string(200, 'x') + "\"}"}, services);
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->status, 413);
}

TEST(LlmRequest, BlockingSendsNoPartOfTheSecret) {
  const auto services = [] {
    auto made = tokenizing_services();
    made->request_profile = dlp::sample_profile({.mode = dlp::Mode::kBlock});
    return made;
  };
  const Script script{
      .request =
          R"({"model":"gpt-4o","messages":[{"role":"user","content":"to jane.doe@example.com"}]})"};
  const Outcome outcome = run(script, services());
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->code, "dlp_blocked");
  EXPECT_NE(outcome.refusal->message.find("email"), std::string::npos);
  EXPECT_EQ(outcome.record.findings.at(0).action, "block");
  for (std::size_t place = 1; place < script.request.size(); ++place) {
    const Outcome cut = run(script, services(), cut_at(place));
    EXPECT_TRUE(cut.refusal);
    EXPECT_EQ(cut.request.find("jane"), std::string::npos) << cut.request;
  }
}

TEST(LlmRequest, SignedBodiesAreNotChanged) {
  Script script{.host = "bedrock-runtime.us-east-1.amazonaws.com",
                .path = "/model/m/converse",
                .authorization = "AWS4-HMAC-SHA256 Credential=x",
                .request = R"({"messages":[{"role":"user","content":[{"text":"hello"}]}]})",
                .answer = "{}"};
  const Outcome clean = run_all_ways(script, tokenizing_services);
  EXPECT_EQ(clean.begin.body, Plan::Body::kObserve);
  EXPECT_EQ(clean.request, script.request);
  script.request =
      R"({"messages":[{"role":"user","content":[{"text":"to jane.doe@example.com"}]}]})";
  const Outcome outcome = run_all_ways(script, tokenizing_services);
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->code, "dlp_signed_request");
}

TEST(LlmRequest, RefusalsHaveTheDialectsShape) {
  const Refusal refusal{
      .status = 429, .code = "budget_exceeded", .message = "The \"day\" is over."};
  EXPECT_EQ(
      render(refusal, Family::kOpenAi).body,
      R"({"error":{"message":"The \"day\" is over.","type":"rate_limit_error","param":null,"code":"budget_exceeded"}})");
  EXPECT_EQ(
      render(refusal, Family::kAnthropic).body,
      R"({"type":"error","error":{"type":"rate_limit_error","message":"The \"day\" is over."}})");
  EXPECT_EQ(
      render(refusal, Family::kGemini).body,
      R"({"error":{"code":429,"message":"The \"day\" is over.","status":"RESOURCE_EXHAUSTED"}})");
  EXPECT_EQ(render(refusal, Family::kBedrock).body, R"({"message":"The \"day\" is over."})");
  EXPECT_EQ(render(refusal, Family::kBedrock).error_type, "ThrottlingException");
}

class OneRequest final : public Budget {
 public:
  std::optional<Refusal> reserve(std::string_view, const Target&,
                                 const RequestFacts& request) override {
    asked = request.model;
    if (reserved++ == 0) return {};
    return Refusal{.status = 429,
                   .code = "budget_exceeded",
                   .message = "No more today.",
                   .retry_after = std::chrono::seconds(60)};
  }
  void settle(const Record& record) override {
    ++settled;
    cost = record.cost.nano_dollars.value_or(0);
  }
  std::string asked;
  int reserved = 0;
  int settled = 0;
  std::uint64_t cost = 0;
};

TEST(LlmRequest, BudgetsAreAskedBeforeAndToldAfter) {
  const auto services = std::make_shared<LlmServices>();
  const auto budget = std::make_shared<OneRequest>();
  services->budget = budget;
  const Script script{
      .request = R"({"model":"gpt-4o","messages":[]})",
      .answer =
          R"({"model":"gpt-4o-2024-08-06","usage":{"prompt_tokens":1000,"completion_tokens":100}})"};
  EXPECT_FALSE(run(script, services).refusal);
  EXPECT_EQ(budget->asked, "gpt-4o");
  EXPECT_EQ(budget->settled, 1);
  EXPECT_EQ(budget->cost, 2'500'000U + 1'000'000U);
  const Outcome second = run(script, services);
  ASSERT_TRUE(second.refusal);
  EXPECT_EQ(second.refusal->retry_after, std::chrono::seconds(60));
  EXPECT_EQ(budget->settled, 1);
}

}  // namespace
}  // namespace agentsh::llm
