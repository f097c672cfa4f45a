// Counts of tokens as the providers report them, in one set of terms.
#include "proxy/llm/usage.h"

#include "proxy/llm/dialect_fields.h"
#include "proxy/llm/field_map.h"

#include <gtest/gtest.h>

#include <charconv>

namespace agentsh::llm {
namespace {

void take(UsageCounter& counter, const FieldMap& map, std::string_view document) {
  FieldReader reader(map);
  FieldReader::Token token;
  reader.feed(document);
  JsonStep step = reader.next(token);
  for (; step == JsonStep::kToken; step = reader.next(token)) {
    if (!is_count(token.place.field) || token.kind != JsonKind::kNumber) continue;
    std::uint64_t count = 0;
    std::from_chars(token.text.data(), token.text.data() + token.text.size(), count);
    counter.take(token.place.field, count);
  }
  EXPECT_EQ(step, JsonStep::kNeedMore);
}

TokenUsage usage_of(const FieldMap& map, std::string_view document) {
  UsageCounter counter;
  take(counter, map, document);
  return counter.total();
}

TEST(Usage, OpenAiInputHoldsWhatWasCached) {
  const TokenUsage chat = usage_of(chat_fields().response, R"({"usage":{"prompt_tokens":2006,
    "completion_tokens":300,"total_tokens":2306,"prompt_tokens_details":{"cached_tokens":1920,
    "audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":64,"audio_tokens":10,
    "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}})");
  EXPECT_EQ(chat, (TokenUsage{.input = 2006,
                              .cache_read = 1920,
                              .output = 300,
                              .reasoning = 64,
                              .audio_output = 10,
                              .known = true}));
  const TokenUsage responses =
      usage_of(responses_fields().event,
               R"({"type":"response.completed","response":{"usage":{"input_tokens":328,
    "input_tokens_details":{"cached_tokens":8},"output_tokens":52,"output_tokens_details":
    {"reasoning_tokens":5},"total_tokens":380}}})");
  EXPECT_EQ(
      responses,
      (TokenUsage{.input = 328, .cache_read = 8, .output = 52, .reasoning = 5, .known = true}));
}

TEST(Usage, AnthropicInputIsApartFromTheCache) {
  UsageCounter counter(true);
  take(counter, messages_fields().event,
       R"({"type":"message_start","message":{"usage":{"input_tokens":25,
    "cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"cache_creation":
    {"ephemeral_5m_input_tokens":40,"ephemeral_1h_input_tokens":60},"output_tokens":1}}})");
  take(counter, messages_fields().event,
       R"({"type":"message_delta","usage":{"output_tokens":15,"cache_read_input_tokens":0}})");
  EXPECT_EQ(counter.total(), (TokenUsage{.input = 2125,
                                         .cache_read = 2000,
                                         .cache_write = 100,
                                         .cache_write_hour = 60,
                                         .output = 15,
                                         .known = true}));
}

TEST(Usage, GeminiThoughtsAreBesideTheCandidates) {
  UsageCounter counter;
  take(counter, gemini_fields().event, R"({"usageMetadata":{"promptTokenCount":10,
    "candidatesTokenCount":3,"totalTokenCount":20,"thoughtsTokenCount":7}})");
  take(counter, gemini_fields().event, R"({"usageMetadata":{"promptTokenCount":10,
    "candidatesTokenCount":30,"totalTokenCount":60,"thoughtsTokenCount":15,
    "toolUsePromptTokenCount":5,"cachedContentTokenCount":4}})");
  EXPECT_EQ(
      counter.total(),
      (TokenUsage{.input = 15, .cache_read = 4, .output = 45, .reasoning = 15, .known = true}));
}

TEST(Usage, BedrockInputIsApartFromTheCache) {
  EXPECT_EQ(
      usage_of(converse_fields().event,
               R"({"usage":{"inputTokens":47,"outputTokens":20,"totalTokens":67,
    "cacheReadInputTokens":5,"cacheWriteInputTokens":3},"metrics":{"latencyMs":100}})"),
      (TokenUsage{.input = 55, .cache_read = 5, .cache_write = 3, .output = 20, .known = true}));
}

TEST(Usage, PartsAreNeverMoreThanTheWhole) {
  UsageCounter counter;
  counter.take(Field::kInputTokens, 5);
  counter.take(Field::kCacheRead, 50);
  counter.take(Field::kReasoning, 7);
  counter.take(Field::kAudioOutput, 70);
  const TokenUsage usage = counter.total();
  EXPECT_EQ(usage.input, 50U);
  EXPECT_EQ(usage.output, 7U);
  EXPECT_EQ(usage.audio_output, 7U);
  EXPECT_FALSE(UsageCounter().total().known);
}

}  // namespace
}  // namespace agentsh::llm
