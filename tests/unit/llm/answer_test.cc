// Answers in the wire shapes of each provider: placeholders restored over deltas and chunks, usage,
// what stays byte for byte.
#include "base/encoding.h"
#include "base/json_reader.h"
#include "proxy/codec/event_stream/decoder.h"
#include "proxy/codec/event_stream/encoder.h"
#include "tests/unit/dlp/sample_detectors.h"
#include "tests/unit/llm/exchange_run.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

namespace agentsh::llm {
namespace {

const std::string kMail = "jane.doe@example.com";
const std::string kQuote = "say \"hi\"\n\\o/";  // Needs escapes, twice inside tool arguments.

std::shared_ptr<LlmServices> services() {
  return restoring_services({kMail, kQuote});
}

// `text` with @ for the placeholder of kMail and $ for that of kQuote.
std::string filled(std::string text) {
  for (const auto& [mark, value] : {std::pair("<mail>", kMail), std::pair("<quote>", kQuote)}) {
    for (std::size_t at = 0; (at = text.find(mark)) != std::string::npos;) {
      text.replace(at, std::string_view(mark).size(), placeholder(value));
    }
  }
  return text;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  json_escape(text, out);
  return out + '"';
}

// Divides a text into deltas of `size` bytes.
std::vector<std::string> deltas_of(const std::string& text, std::size_t size) {
  std::vector<std::string> deltas;
  for (std::size_t at = 0; at < text.size(); at += size) deltas.push_back(text.substr(at, size));
  return deltas;
}

const std::string kText = "Mail <mail> or <mail>: <quote> TOK_ TOK_EMAIL_ end <mail>";
const std::string kTextOut =
    "Mail " + kMail + " or " + kMail + ": " + kQuote + " TOK_ TOK_EMAIL_ end " + kMail;
const std::string kArguments = R"({"to":"<mail>","body":"<quote>","n":1})";

void expect_arguments(const std::string& text) {
  auto parsed = JsonDocument::parse(text);
  ASSERT_TRUE(parsed) << text;
  EXPECT_EQ(parsed->root().text("to"), kMail);
  EXPECT_EQ(parsed->root().text("body"), kQuote);
}

std::string chat_chunk(const std::string& delta,
                       const std::string& rest = R"("finish_reason":null)") {
  return R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":)" +
         delta + "," + rest + "}]}\n\n";
}

const std::string kChatUsage =
    R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":2000,"completion_tokens":100,"total_tokens":2100,"prompt_tokens_details":{"cached_tokens":1024},"completion_tokens_details":{"reasoning_tokens":64}}})"
    "\n\n";

std::string chat_stream(std::size_t size) {
  std::string stream = chat_chunk(R"({"role":"assistant","content":"","refusal":null})");
  for (const std::string& delta : deltas_of(filled(kText), size)) {
    stream += chat_chunk(R"({"content":)" + json_string(delta) + "}");
  }
  stream += chat_chunk(
      R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"send","arguments":""}}]})");
  for (const std::string& delta : deltas_of(filled(kArguments), size)) {
    stream += chat_chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":)" +
                         json_string(delta) + "}}]}");
  }
  stream += chat_chunk("{}", R"("finish_reason":"tool_calls")");
  return stream + kChatUsage + "data: [DONE]\n\n";
}

struct ChatTexts {
  std::string content;
  std::string arguments;
  std::string finish;
  int usage_events = 0;
};

ChatTexts chat_texts(std::string_view stream) {
  ChatTexts texts;
  for (const std::string& data : sse_data(stream)) {
    if (data == "[DONE]") continue;
    auto parsed = JsonDocument::parse(data);
    EXPECT_TRUE(parsed) << data;
    if (!parsed) continue;
    if (parsed->root().member("usage").is_object()) ++texts.usage_events;
    for (const JsonNode& node : parsed->root().member("choices").elements()) {
      const JsonValue choice(&node);
      EXPECT_TRUE(texts.finish.empty()) << "after the end: " << data;
      texts.content += choice.member("delta").text("content");
      for (const JsonNode& call : choice.member("delta").member("tool_calls").elements()) {
        texts.arguments += JsonValue(&call).member("function").text("arguments");
      }
      texts.finish += choice.text("finish_reason");
    }
  }
  return texts;
}

const Script kChat{.request = R"({"model":"gpt-4o","stream":true,"messages":[]})",
                   .content_type = "text/event-stream; charset=utf-8"};

TEST(LlmAnswer, ChatStreamsAreRestoredOverDeltas) {
  for (std::size_t size : {1, 2, 3, 7, 23, 1000}) {
    Script script = kChat;
    script.answer = chat_stream(size);
    const Outcome outcome = size == 7 ? run_all_ways(script, services) : run(script, services());
    ASSERT_FALSE(outcome.refusal);
    const ChatTexts texts = chat_texts(outcome.answer);
    EXPECT_EQ(texts.content, kTextOut);
    expect_arguments(texts.arguments);
    EXPECT_EQ(texts.finish, "tool_calls");
    EXPECT_EQ(texts.usage_events, 0);  // It was we who asked for it.
    EXPECT_TRUE(outcome.answer.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(
        outcome.record.usage,
        (TokenUsage{
            .input = 2000, .cache_read = 1024, .output = 100, .reasoning = 64, .known = true}));
    EXPECT_EQ(outcome.record.cost.nano_dollars, 976U * 2500 + 1024U * 1250 + 100U * 10'000);
    EXPECT_EQ(outcome.record.model_answered, "gpt-4o-2024-08-06");
    EXPECT_EQ(outcome.record.tools, std::vector<std::string>{"send"});
    EXPECT_EQ(outcome.record.finish_reason, "tool_calls");
    EXPECT_EQ(outcome.record.ending, Ending::kComplete);
  }
}

TEST(LlmAnswer, AClientThatAskedGetsTheUsageEvent) {
  Script script = kChat;
  script.request = R"({"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}})";
  script.answer = chat_stream(7);
  EXPECT_EQ(chat_texts(run(script, services()).answer).usage_events, 1);
}

TEST(LlmAnswer, WhatDoesNotChangeKeepsItsBytes) {
  Script script = kChat;
  script.request = R"({"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}})";
  script.answer =
      ": hello\r\n\r\n" + chat_chunk(R"({"content":"\u0048ello \ud83d\ude00 wor\/ld"})") +
      "event: x\r\nid:4\r\ndata:{\"choices\" : [ ] }\r\n\r\n" + kChatUsage + "data: [DONE]\n\n";
  EXPECT_EQ(run_all_ways(script, services).answer, script.answer);
  // Nothing to restore: nothing is rewritten at all.
  const Outcome plain = run(script, std::make_shared<LlmServices>());
  EXPECT_EQ(plain.begin_answer.body, Plan::Body::kObserve);
  EXPECT_EQ(plain.answer, script.answer);
}

TEST(LlmAnswer, TextIsNotHeldLongerThanAPlaceholderCouldBeOpen) {
  const auto made = services();
  const auto target =
      recognise({.host = "api.openai.com", .method = "POST", .path = "/v1/chat/completions"}, {});
  Exchange exchange(*target, made,
                    {.host = "api.openai.com", .method = "POST", .path = "/v1/chat/completions"});
  exchange.begin();
  std::string out;
  ASSERT_FALSE(exchange.push_request(kChat.request, true, out));
  exchange.begin_answer({.content_type = "text/event-stream"});
  for (const char* word : {"Hello ", "To ", "TOKYO ", "t", "he T", "x"}) {
    out.clear();
    ASSERT_FALSE(
        exchange.push_answer(chat_chunk(R"({"content":)" + json_string(word) + "}"), false, out));
    const ChatTexts texts = chat_texts(out);
    EXPECT_GE(texts.content.size() + 1, std::string_view(word).size())
        << word;  // A "t" may begin one.
  }
}

TEST(LlmAnswer, SeveralChoicesDoNotMix) {
  Script script = kChat;
  const std::string token = placeholder(kMail);
  const auto both = [](const std::string& a, const std::string& b) {
    return R"(data: {"choices":[{"delta":{"content":)" + json_string(a) +
           R"(},"index":1},{"index":0,"delta":{"content":)" + json_string(b) + "}}]}\n\n";
  };
  script.answer = both(token.substr(0, 5), "x" + token.substr(0, 9)) +
                  both(token.substr(5), token.substr(9) + "y") +
                  R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
                  "\n\n"
                  R"(data: {"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]})"
                  "\n\ndata: [DONE]\n\n";
  const Outcome outcome = run_all_ways(script, services);
  std::map<std::int64_t, std::string> texts;
  for (const std::string& data : sse_data(outcome.answer)) {
    if (data == "[DONE]") continue;
    auto parsed = JsonDocument::parse(data);
    ASSERT_TRUE(parsed);
    for (const JsonNode& node : parsed->root().member("choices").elements()) {
      texts[JsonValue(&node).integer("index")] += JsonValue(&node).member("delta").text("content");
    }
  }
  EXPECT_EQ(texts[1], kMail);
  EXPECT_EQ(texts[0], "x" + kMail + "y");
}

TEST(LlmAnswer, ChatDocuments) {
  Script script;
  script.request = R"({"model":"gpt-4o","messages":[]})";
  script.answer = filled(
      R"({ "id":"chatcmpl-2", "model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"to <mail>","tool_calls":[{"id":"c","type":"function","function":{"name":"send","arguments":"{\"to\":\"<mail>\",\"body\":\"<quote>\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":12}} )");
  const Outcome outcome = run_all_ways(script, services);
  auto parsed = JsonDocument::parse(outcome.answer);
  ASSERT_TRUE(parsed) << outcome.answer;
  const JsonValue message =
      JsonValue(&parsed->root().member("choices").elements()[0]).member("message");
  EXPECT_EQ(message.text("content"), "to " + kMail);
  expect_arguments(std::string(
      JsonValue(&message.member("tool_calls").elements()[0]).member("function").text("arguments")));
  EXPECT_EQ(outcome.record.usage, (TokenUsage{.input = 9, .output = 12, .known = true}));
  EXPECT_EQ(outcome.record.response_id, "chatcmpl-2");
  EXPECT_FALSE(outcome.record.streamed);
}

std::string messages_event(const std::string& type, const std::string& data) {
  return "event: " + type + "\ndata: " + data + "\n\n";
}

std::string messages_stream(std::size_t size, bool ends = true) {
  std::string stream = messages_event(
      "message_start",
      R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"output_tokens":1}}})");
  stream += messages_event(
      "content_block_start",
      R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})");
  stream += messages_event("ping", R"({"type": "ping"})");
  for (const std::string& delta : deltas_of(filled(kText), size)) {
    stream += messages_event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":)" +
            json_string(delta) + "}}");
  }
  stream += messages_event("content_block_stop", R"({"type":"content_block_stop","index":0})");
  stream += messages_event(
      "content_block_start",
      R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"send","input":{}}})");
  for (const std::string& delta : deltas_of(filled(kArguments), size)) {
    stream += messages_event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":)" +
            json_string(delta) + "}}");
  }
  if (!ends) return stream;
  stream += messages_event("content_block_stop", R"({"type":"content_block_stop","index":1})");
  stream += messages_event(
      "message_delta",
      R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}})");
  return stream + messages_event("message_stop", R"({"type":"message_stop"})");
}

std::map<std::string, std::string> messages_texts(std::string_view stream) {
  std::map<std::string, std::string> texts;
  for (const std::string& data : sse_data(stream)) {
    auto parsed = JsonDocument::parse(data);
    EXPECT_TRUE(parsed) << data;
    if (!parsed) continue;
    const JsonValue root = parsed->root();
    const std::string index = std::to_string(root.integer("index"));
    texts["text" + index] += root.member("delta").text("text");
    texts["json" + index] += root.member("delta").text("partial_json");
    if (root.text("type") == "content_block_stop") texts["text" + index] += "|";
  }
  return texts;
}

const Script kMessages{
    .host = "api.anthropic.com",
    .path = "/v1/messages",
    .request = R"({"model":"claude-sonnet-4-5","stream":true,"max_tokens":100,"messages":[]})",
    .content_type = "text/event-stream"};

TEST(LlmAnswer, MessagesStreamsAreRestoredOverDeltas) {
  for (std::size_t size : {1, 2, 5, 23, 1000}) {
    Script script = kMessages;
    script.answer = messages_stream(size);
    const Outcome outcome = size == 5 ? run_all_ways(script, services) : run(script, services());
    ASSERT_FALSE(outcome.refusal);
    EXPECT_EQ(outcome.request, script.request);
    auto texts = messages_texts(outcome.answer);
    EXPECT_EQ(texts["text0"], kTextOut + "|");  // All before the block's end.
    expect_arguments(texts["json1"]);
    EXPECT_EQ(
        outcome.record.usage,
        (TokenUsage{
            .input = 2125, .cache_read = 2000, .cache_write = 100, .output = 89, .known = true}));
    EXPECT_EQ(outcome.record.cost.nano_dollars,
              25U * 3000 + 2000U * 300 + 100U * 3750 + 89U * 15'000);
    EXPECT_EQ(outcome.record.finish_reason, "tool_use");
    EXPECT_EQ(outcome.record.ending, Ending::kComplete);
  }
}

TEST(LlmAnswer, InterruptedStreamsAreCountedWithWhatIsKnown) {
  Script script = kMessages;
  script.answer = messages_stream(5, false);
  for (bool whole_answer : {false, true}) {
    script.whole_answer = whole_answer;
    const Outcome outcome = run(script, services());
    EXPECT_EQ(outcome.record.ending, Ending::kInterrupted);
    EXPECT_EQ(outcome.record.usage.input, 2125U);
    EXPECT_EQ(outcome.record.usage.output, 1U);
    EXPECT_NE(outcome.record.cost.note.find("interrupted"), std::string::npos);
  }
  // Without usage the cost is not known, and not zero.
  Script chat = kChat;
  chat.answer = chat_chunk(R"({"content":"Hi"})");
  chat.whole_answer = false;
  const Outcome outcome = run(chat, services());
  EXPECT_FALSE(outcome.record.usage.known);
  EXPECT_FALSE(outcome.record.cost.nano_dollars);
  EXPECT_FALSE(outcome.record.cost.note.empty());
}

TEST(LlmAnswer, MessagesThinking) {
  const std::string token = placeholder(kMail);
  const auto delta = [](const std::string& type, const std::string& name, const std::string& text) {
    return messages_event("content_block_delta",
                          R"({"type":"content_block_delta","index":0,"delta":{"type":")" + type +
                              R"(",")" + name + "\":" + json_string(text) + "}}");
  };
  Script script = kMessages;
  script.answer =
      delta("thinking_delta", "thinking", "Ask " + token.substr(0, 8)) +
      delta("thinking_delta", "thinking", token.substr(8)) +
      delta("signature_delta", "signature", token) +
      messages_event("content_block_stop", R"({"type":"content_block_stop","index":0})") +
      messages_event("message_stop", R"({"type":"message_stop"})");
  const std::string answer = run_all_ways(script, services).answer;
  EXPECT_NE(answer.find(kMail), std::string::npos);
  EXPECT_NE(answer.find("\"signature\":\"" + token), std::string::npos);  // Left alone.
}

std::string responses_event(const std::string& type, int number, const std::string& rest) {
  return messages_event(type, R"({"type":")" + type + R"(","sequence_number":)" +
                                  std::to_string(number) + "," + rest + "}");
}

TEST(LlmAnswer, ResponsesStreamsAreRestoredOverDeltas) {
  for (std::size_t size : {1, 2, 11, 1000}) {
    int number = 0;
    std::string stream = responses_event(
        "response.created", number++,
        R"("response":{"id":"resp_1","model":"gpt-5-2025-08-07","status":"in_progress"})");
    for (const std::string& delta : deltas_of(filled(kText), size)) {
      stream += responses_event(
          "response.output_text.delta", number++,
          R"("item_id":"msg_1","output_index":0,"content_index":0,"logprobs":[],"delta":)" +
              json_string(delta));
    }
    stream += responses_event("response.output_text.done", number++,
                              R"("item_id":"msg_1","output_index":0,"content_index":0,"text":)" +
                                  json_string(filled(kText)));
    for (const std::string& delta : deltas_of(filled(kArguments), size)) {
      stream +=
          responses_event("response.function_call_arguments.delta", number++,
                          R"("item_id":"fc_1","output_index":1,"delta":)" + json_string(delta));
    }
    stream += responses_event("response.function_call_arguments.done", number++,
                              R"("item_id":"fc_1","output_index":1,"name":"send","arguments":)" +
                                  json_string(filled(kArguments)));
    stream += responses_event(
        "response.output_item.done", number++,
        R"("output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"send","arguments":)" +
            json_string(filled(kArguments)) + "}");
    stream += responses_event(
        "response.completed", number++,
        R"("response":{"id":"resp_1","model":"gpt-5-2025-08-07","status":"completed","service_tier":"default","output":[{"type":"message","content":[{"type":"output_text","text":)" +
            json_string(filled(kText)) +
            R"(}]}],"usage":{"input_tokens":328,"input_tokens_details":{"cached_tokens":128},"output_tokens":52,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":380}})");
    Script script{.path = "/v1/responses",
                  .request = R"({"model":"gpt-5","stream":true,"input":"x"})",
                  .content_type = size == 11 ? "" : "text/event-stream",
                  .answer = stream};
    const Outcome outcome = size == 11 ? run_all_ways(script, services) : run(script, services());
    std::map<std::string, std::string> texts;
    std::int64_t last = -1;
    for (const std::string& data : sse_data(outcome.answer)) {
      auto parsed = JsonDocument::parse(data);
      ASSERT_TRUE(parsed) << data;
      const JsonValue root = parsed->root();
      texts[std::string(root.text("type"))] += root.text("delta");
      texts[std::string(root.text("type"))] += root.text("text");
      texts[std::string(root.text("type"))] += root.text("arguments");
      if (root.has("item")) expect_arguments(std::string(root.member("item").text("arguments")));
      EXPECT_GE(root.integer("sequence_number"), last);
      last = root.integer("sequence_number");
    }
    EXPECT_EQ(texts["response.output_text.delta"], kTextOut);
    EXPECT_EQ(texts["response.output_text.done"], kTextOut);
    expect_arguments(texts["response.function_call_arguments.delta"]);
    expect_arguments(texts["response.function_call_arguments.done"]);
    EXPECT_EQ(outcome.answer.find("TOK_EMAIL_" + placeholder(kMail).substr(10)), std::string::npos);
    EXPECT_EQ(outcome.record.usage,
              (TokenUsage{
                  .input = 328, .cache_read = 128, .output = 52, .reasoning = 20, .known = true}));
    EXPECT_EQ(outcome.record.cost.nano_dollars, 200U * 1250 + 128U * 125 + 52U * 10'000);
    EXPECT_EQ(outcome.record.finish_reason, "completed");
    EXPECT_EQ(outcome.record.ending, Ending::kComplete);
    EXPECT_EQ(outcome.record.tools, std::vector<std::string>{"send"});
  }
}

std::vector<std::string> gemini_chunks(std::size_t size) {
  std::vector<std::string> chunks;
  for (const std::string& delta : deltas_of(filled("Think <mail>"), size)) {
    chunks.push_back(
        R"({"candidates":[{"content":{"parts":[{"text":)" + json_string(delta) +
        R"(,"thought":true}],"role":"model"},"index":0}],"modelVersion":"gemini-2.5-pro"})");
  }
  for (const std::string& delta : deltas_of(filled(kText), size)) {
    chunks.push_back(
        R"({"candidates":[{"content":{"parts":[{"text":)" + json_string(delta) +
        R"(}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3},"modelVersion":"gemini-2.5-pro"})");
  }
  chunks.push_back(
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"send","args":{"to":")" +
      placeholder(kMail) +
      R"("}}}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":30,"thoughtsTokenCount":7,"cachedContentTokenCount":4,"totalTokenCount":47},"modelVersion":"gemini-2.5-pro","responseId":"r1"})");
  return chunks;
}

void expect_gemini(const Outcome& outcome, const std::vector<std::string>& documents) {
  std::string text;
  std::string thought;
  for (const std::string& data : documents) {
    auto parsed = JsonDocument::parse(data);
    ASSERT_TRUE(parsed) << data;
    for (const JsonNode& node : parsed->root().member("candidates").elements()) {
      const JsonValue content = JsonValue(&node).member("content");
      for (const JsonNode& part : content.member("parts").elements()) {
        (JsonValue(&part).flag("thought") ? thought : text) += JsonValue(&part).text("text");
        if (JsonValue(&part).has("functionCall")) {
          EXPECT_EQ(JsonValue(&part).member("functionCall").member("args").text("to"), kMail);
          EXPECT_EQ(text, kTextOut);  // What was held went before.
        }
      }
    }
  }
  EXPECT_EQ(text, kTextOut);
  EXPECT_EQ(thought, "Think " + kMail);
  EXPECT_EQ(
      outcome.record.usage,
      (TokenUsage{.input = 10, .cache_read = 4, .output = 37, .reasoning = 7, .known = true}));
  EXPECT_EQ(outcome.record.model_asked, "gemini-2.5-pro");
  EXPECT_EQ(outcome.record.finish_reason, "STOP");
  EXPECT_EQ(outcome.record.ending, Ending::kComplete);
}

TEST(LlmAnswer, GeminiStreamsInBothFramings) {
  for (std::size_t size : {1, 4, 9, 1000}) {
    Script script{.host = "generativelanguage.googleapis.com",
                  .path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
                  .request = R"({"contents":[{"parts":[{"text":"x"}]}]})",
                  .content_type = "text/event-stream"};
    for (const std::string& chunk : gemini_chunks(size))
      script.answer += "data: " + chunk + "\r\n\r\n";
    Outcome outcome = size == 9 ? run_all_ways(script, services) : run(script, services());
    expect_gemini(outcome, sse_data(outcome.answer));

    script.path = "/v1beta/models/gemini-2.5-pro:streamGenerateContent";
    script.content_type = "application/json; charset=UTF-8";
    script.answer = "[";
    for (const std::string& chunk : gemini_chunks(size)) {
      if (script.answer.size() > 1) script.answer += ",\r\n";
      script.answer += chunk;
    }
    script.answer += "\r\n]\r\n";
    outcome = size == 9 ? run_all_ways(script, services) : run(script, services());
    auto parsed = JsonDocument::parse(outcome.answer);
    ASSERT_TRUE(parsed) << outcome.answer;
    std::vector<std::string> documents;
    for (const JsonNode& node : parsed->root().elements())
      documents.push_back(JsonValue(&node).dump());
    expect_gemini(outcome, documents);
  }
}

std::string aws_event(std::string_view type, std::string_view payload) {
  using event_stream::Header;
  using event_stream::HeaderType;
  const std::array<Header, 3> headers = {
      {{":event-type", HeaderType::kString, type},
       {":content-type", HeaderType::kString, "application/json"},
       {":message-type", HeaderType::kString, "event"}}};
  std::string bytes;
  std::string out;
  event_stream::write_headers(headers, bytes);
  EXPECT_TRUE(event_stream::write_message(bytes, payload, out));
  return out;
}

std::vector<std::pair<std::string, std::string>> aws_events(std::string_view stream) {
  std::vector<std::pair<std::string, std::string>> events;
  event_stream::Decoder decoder;
  event_stream::Message message;
  decoder.feed(stream);
  while (decoder.next(message) == event_stream::Step::kMessage) {
    events.emplace_back(message.text(":event-type"), message.payload);
  }
  EXPECT_FALSE(decoder.mid_message());
  return events;
}

TEST(LlmAnswer, ConverseStreamsAreRestoredOverDeltas) {
  for (std::size_t size : {1, 6, 29, 1000}) {
    Script script{.host = "bedrock-runtime.us-east-1.amazonaws.com",
                  .path = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream",
                  .request = R"({"messages":[]})",
                  .content_type = "application/vnd.amazon.eventstream"};
    script.answer = aws_event("messageStart", R"({"p":"abc","role":"assistant"})");
    for (const std::string& delta : deltas_of(filled(kText), size)) {
      script.answer +=
          aws_event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":)" +
                                             json_string(delta) + R"(},"p":"abcdefgh"})");
    }
    script.answer += aws_event("contentBlockStop", R"({"contentBlockIndex":0,"p":"a"})");
    script.answer +=
        aws_event("contentBlockStart",
                  R"({"contentBlockIndex":1,"start":{"toolUse":{"name":"send","toolUseId":"t"}}})");
    for (const std::string& delta : deltas_of(filled(kArguments), size)) {
      script.answer +=
          aws_event("contentBlockDelta", R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":)" +
                                             json_string(delta) + "}}}");
    }
    script.answer += aws_event("contentBlockStop", R"({"contentBlockIndex":1})");
    script.answer += aws_event("messageStop", R"({"stopReason":"tool_use"})");
    script.answer += aws_event(
        "metadata",
        R"({"metrics":{"latencyMs":400},"usage":{"inputTokens":47,"outputTokens":20,"totalTokens":67,"cacheReadInputTokens":5,"cacheWriteInputTokens":3}})");
    const Outcome outcome = size == 29 ? run_all_ways(script, services) : run(script, services());
    ASSERT_FALSE(outcome.refusal) << outcome.refusal->message;
    std::string text;
    std::string arguments;
    for (const auto& [type, payload] : aws_events(outcome.answer)) {
      auto parsed = JsonDocument::parse(payload);
      ASSERT_TRUE(parsed) << payload;
      const JsonValue delta = parsed->root().member("delta");
      if (type == "contentBlockStop") text += "|";
      if (type != "contentBlockDelta") continue;
      text += delta.text("text");
      arguments += delta.member("toolUse").text("input");
    }
    EXPECT_EQ(text, kTextOut + "||");
    expect_arguments(arguments);
    EXPECT_EQ(
        outcome.record.usage,
        (TokenUsage{.input = 55, .cache_read = 5, .cache_write = 3, .output = 20, .known = true}));
    EXPECT_EQ(outcome.record.cost.nano_dollars, 47U * 3000 + 5U * 300 + 3U * 3750 + 20U * 15'000);
    EXPECT_EQ(outcome.record.finish_reason, "tool_use");
    EXPECT_EQ(outcome.record.ending, Ending::kComplete);
  }
}

TEST(LlmAnswer, InvokeModelStreamsCarryTheModelsOwnEvents) {
  Script script{.host = "bedrock-runtime.us-east-1.amazonaws.com",
                .path = "/model/anthropic.claude-3-haiku-20240307-v1:0/invoke-with-response-stream",
                .request = R"({"anthropic_version":"bedrock-2023-05-31","messages":[]})",
                .content_type = "application/vnd.amazon.eventstream"};
  for (const std::string& data : sse_data(messages_stream(6))) {
    script.answer += aws_event("chunk", R"({"bytes":")" + to_base64(data) + R"(","p":"abc"})");
  }
  const Outcome outcome = run_all_ways(script, services);
  std::string stream;
  for (const auto& [type, payload] : aws_events(outcome.answer)) {
    auto parsed = JsonDocument::parse(payload);
    ASSERT_TRUE(parsed);
    stream += "data: " + from_base64(parsed->root().text("bytes")).value_or("") + "\n\n";
  }
  auto texts = messages_texts(stream);
  EXPECT_EQ(texts["text0"], kTextOut + "|");
  expect_arguments(texts["json1"]);
  EXPECT_EQ(outcome.record.usage.input, 2125U);
  EXPECT_EQ(outcome.record.usage.output, 89U);
  EXPECT_TRUE(outcome.record.cost.nano_dollars);
}

TEST(LlmAnswer, SecretsInAnswersAreFoundOverDeltas) {
  const auto scanning = [] {
    auto made = services();
    made->answer_profile = dlp::sample_profile({.mode = dlp::Mode::kRedact});
    return made;
  };
  Script script = kMessages;
  script.answer.clear();
  for (const std::string& delta : deltas_of("key ghp_" + std::string(36, 'a') + " and <mail>", 3)) {
    script.answer += messages_event(
        "content_block_delta",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":)" +
            json_string(delta) + "}}");
  }
  script.answer +=
      messages_event("content_block_stop", R"({"type":"content_block_stop","index":0})");
  script.answer += messages_event("message_stop", R"({"type":"message_stop"})");
  const Outcome outcome = run_all_ways(script, scanning);
  EXPECT_EQ(messages_texts(outcome.answer)["text0"], "key [REDACTED:github_token] and <mail>|");
  ASSERT_EQ(outcome.record.findings.size(), 1U);
  EXPECT_TRUE(outcome.record.findings[0].in_answer);

  const auto blocking = [] {
    auto made = services();
    made->answer_profile = dlp::sample_profile({.mode = dlp::Mode::kBlock});
    return made;
  };
  const Outcome blocked = run(script, blocking());
  ASSERT_TRUE(blocked.refusal);
  EXPECT_EQ(blocked.answer.find("ghp_"), std::string::npos);
}

TEST(LlmAnswer, ErrorsOfProvidersPass) {
  Script script = kMessages;
  script.status = 529;
  script.content_type = "application/json";
  script.answer =
      R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"})";
  const Outcome outcome = run_all_ways(script, services);
  EXPECT_EQ(outcome.answer, script.answer);
  EXPECT_EQ(outcome.record.error_type, "overloaded_error");
  EXPECT_EQ(outcome.record.status, 529);
  EXPECT_TRUE(outcome.record.cost.note.empty());  // Nothing was sold.
  script.content_type = "text/html";
  script.answer = "<html>" + placeholder(kMail);
  EXPECT_EQ(run(script, services()).answer, script.answer);
  script.content_type = "application/json";
  script.answer = "";
  EXPECT_FALSE(run(script, services()).refusal);
}

TEST(LlmAnswer, AnswersWithoutContentAreComplete) {
  for (int status : {101, 204, 304}) {
    Script script;
    script.request = R"({"model":"gpt-4o","messages":[]})";
    script.status = status;
    script.whole_answer = false;
    const Outcome outcome = run(script, services());
    EXPECT_EQ(outcome.begin_answer.body, Plan::Body::kPass);
    EXPECT_EQ(outcome.record.ending, Ending::kComplete);
  }
}

TEST(LlmAnswer, AStreamOfEverNewTextsIsBounded) {
  Script script = kMessages;
  for (int i = 0; i < 2000; ++i) {
    script.answer += messages_event(
        "content_block_delta", R"({"type":"content_block_delta","index":)" + std::to_string(i) +
                                   R"(,"delta":{"type":"text_delta","text":")" +
                                   placeholder(kMail) + "\"}}");
  }
  const std::string answer = run(script, services()).answer;
  std::size_t restored = 0;
  for (std::size_t at = 0; (at = answer.find(kMail, at)) != std::string::npos; ++at) ++restored;
  EXPECT_EQ(restored, 2000U);
}

TEST(LlmAnswer, UnreadableAnswersBreakOff) {
  Script script;
  script.request = R"({"model":"gpt-4o","messages":[]})";
  script.answer = R"({"choices":[{]})";
  EXPECT_TRUE(run_all_ways(script, services).refusal);
  Script aws{.host = "bedrock-runtime.us-east-1.amazonaws.com",
             .path = "/model/m/converse-stream",
             .request = R"({"messages":[]})",
             .content_type = "application/vnd.amazon.eventstream",
             .answer = "not a message of an event stream"};
  EXPECT_TRUE(run_all_ways(aws, services).refusal);
}

TEST(LlmAnswer, RecordsAsEventAndLines) {
  Script script = kChat;
  script.answer = chat_stream(7);
  const Record record = run(script, services()).record;
  auto event = JsonDocument::parse(audit::to_json(to_event(record)));
  ASSERT_TRUE(event);
  const JsonValue fields = event->root().member("fields");
  EXPECT_EQ(event->root().text("type"), "llm_request");
  EXPECT_EQ(fields.text("gen_ai.request.model"), "gpt-4o");
  EXPECT_EQ(fields.integer("gen_ai.usage.input_tokens"), 2000);
  EXPECT_EQ(fields.integer("llm.cost_nano_usd"), 976 * 2500 + 1024 * 1250 + 100 * 10'000);
  auto request = JsonDocument::parse(request_line(record));
  auto response = JsonDocument::parse(response_line(record));
  ASSERT_TRUE(request && response);
  EXPECT_EQ(request->root().text("id"), response->root().text("request_id"));
  EXPECT_TRUE(request->root().member("request").text("body_hash").starts_with("sha256:"));
  EXPECT_EQ(response->root().member("usage").integer("output_tokens"), 100);
}

}  // namespace
}  // namespace agentsh::llm
