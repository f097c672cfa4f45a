// What the values in a provider's documents mean to us. A dialect is a few tables of FieldRule
// (dialect_*.cc): one for requests, one for responses, one for streamed events.
#pragma once

#include <cstdint>
#include <string_view>

namespace agentsh::llm {

enum class Field : std::uint8_t {
  kNone,
  // Requests.
  kModel,  // Of responses: the model that answered.
  kStream,
  kStreamOptions,
  kIncludeUsage,
  kMaxTokens,  // The most that the answer may have.
  kAnswers,    // How many answers are asked for.
  // Responses.
  kResponseId,
  kServiceTier,
  kSpeed,  // Anthropic's: "fast" has prices of its own.
  kFinishReason,
  kToolName,
  kErrorType,
  // Streamed events.
  kEventType,
  kOuterIndex,  // Choice, content block, output item or candidate.
  kInnerIndex,  // Tool call or content part within it.
  kThought,     // A flag: the text beside it is the model's thinking.
  kChoices,     // The array whose being empty marks OpenAI's usage event.
  kUsage,       // The object of the counts.
  // Counts of tokens. usage.h says how they add up.
  kInputTokens,    // With what was read from a cache and written to it.
  kUncachedInput,  // Without.
  kMoreInput,      // Beside kInputTokens.
  kOutputTokens,   // With reasoning.
  kMoreOutput,     // Reasoning beside kOutputTokens.
  kCacheRead,
  kCacheWrite,      // All of it.
  kCacheWriteHour,  // The part of it that is kept for an hour.
  kReasoning,       // The part of kOutputTokens.
  kAudioInput,
  kAudioOutput,
  kSearches,  // Requests of server-side tools, not tokens.
};
constexpr bool is_count(Field field) {
  return field >= Field::kInputTokens;
}

// How the strings at and below a place are treated.
enum class TextUse : std::uint8_t {
  kInherit,  // As the place above. The root is kText.
  kText,     // Text of or for the model, or whatever else might hold some.
  kFree,     // A value of any form, as the input of a tool: numbers count as text too.
  kJson,     // A JSON document in a string: tool call arguments.
  kLeave,    // Identifiers, names of the protocol, signatures, base64: neither read nor changed.
  kDataUrl,  // kLeave when it is a data: URL, kText otherwise.
  kTyped,    // kLeave when the `type` beside it is "base64", kText otherwise.
  // In streamed events: a piece of a text that goes on in later events.
  kDelta,
  kJsonDelta,
};

// Which of the texts with the same indices a delta belongs to.
enum class Slot : std::uint8_t {
  kContent,
  kRefusal,
  kReasoning,
  kArguments,
  kFunctionCall,  // Of OpenAI's older form.
  kTranscript,
  kOther,
};

// `path`: keys joined by dots, "[]" for the elements of an array, "*" for any key, as in
// "choices[].delta.content". The empty path is the document itself.
struct FieldRule {
  std::string_view path;
  Field field = Field::kNone;
  TextUse text = TextUse::kInherit;
  Slot slot = Slot::kContent;
};

}  // namespace agentsh::llm
