// OpenAI Chat Completions, Completions and Embeddings, with what servers that copy them add
// (reasoning_content of DeepSeek and others, reasoning of OpenRouter, DeepSeek's cache counts).
#include "proxy/llm/dialect_fields.h"

namespace agentsh::llm {
namespace {

using enum Field;
using enum TextUse;

constexpr FieldRule kRequest[] = {
    {"", kNone, kText},
    {"model", kModel, kLeave},
    {"stream", kStream},
    {"stream_options", kStreamOptions},
    {"stream_options.include_usage", kIncludeUsage},
    {"max_tokens", kMaxTokens},
    {"n", kAnswers},
    {"max_completion_tokens", kMaxTokens},
    {"service_tier", kServiceTier, kLeave},
    {"messages[].role", kNone, kLeave},
    {"messages[].tool_call_id", kNone, kLeave},
    {"messages[].content[].type", kNone, kLeave},
    {"messages[].content[].image_url.url", kNone, kDataUrl},
    {"messages[].content[].image_url.detail", kNone, kLeave},
    {"messages[].content[].input_audio", kNone, kLeave},
    {"messages[].content[].file.file_data", kNone, kDataUrl},
    {"messages[].content[].file.file_id", kNone, kLeave},
    {"messages[].tool_calls[].id", kNone, kLeave},
    {"messages[].tool_calls[].type", kNone, kLeave},
    {"messages[].tool_calls[].function.name", kNone, kLeave},
    {"messages[].tool_calls[].function.arguments", kNone, kJson},
    {"messages[].function_call.name", kNone, kLeave},
    {"messages[].function_call.arguments", kNone, kJson},
    {"messages[].audio.id", kNone, kLeave},
    {"tools[].type", kNone, kLeave},
    {"tools[].function.name", kNone, kLeave},
    {"tool_choice", kNone, kLeave},
    {"response_format.type", kNone, kLeave},
    {"reasoning_effort", kNone, kLeave},
    {"modalities", kNone, kLeave},
    {"encoding_format", kNone, kLeave},
};

constexpr FieldRule kUsageRules[] = {
    {"usage", kUsage, kLeave},
    {"usage.prompt_tokens", kInputTokens},
    {"usage.completion_tokens", kOutputTokens},
    {"usage.prompt_tokens_details.cached_tokens", kCacheRead},
    {"usage.prompt_tokens_details.cache_write_tokens", kCacheWrite},
    {"usage.prompt_tokens_details.audio_tokens", kAudioInput},
    {"usage.prompt_cache_hit_tokens", kCacheRead},
    {"usage.completion_tokens_details.reasoning_tokens", kReasoning},
    {"usage.completion_tokens_details.audio_tokens", kAudioOutput},
};

// Of responses and events alike.
constexpr FieldRule kCommon[] = {
    {"", kNone, kText},
    {"id", kResponseId, kLeave},
    {"object", kNone, kLeave},
    {"model", kModel, kLeave},
    {"service_tier", kServiceTier, kLeave},
    {"system_fingerprint", kNone, kLeave},
    {"obfuscation", kNone, kLeave},
    {"choices", kChoices},
    {"choices[].index", kOuterIndex},
    {"choices[].finish_reason", kFinishReason, kLeave},
    {"choices[].logprobs", kNone, kLeave},
    {"data[].embedding", kNone, kLeave},
    {"error.type", kErrorType, kLeave},
    {"error.code", kNone, kLeave},
};

constexpr FieldRule kResponse[] = {
    {"choices[].message.role", kNone, kLeave},
    {"choices[].message.tool_calls[].id", kNone, kLeave},
    {"choices[].message.tool_calls[].type", kNone, kLeave},
    {"choices[].message.tool_calls[].function.name", kToolName, kLeave},
    {"choices[].message.tool_calls[].function.arguments", kNone, kJson},
    {"choices[].message.function_call.name", kToolName, kLeave},
    {"choices[].message.function_call.arguments", kNone, kJson},
    {"choices[].message.audio.id", kNone, kLeave},
    {"choices[].message.audio.data", kNone, kLeave},
};

constexpr FieldRule kEvent[] = {
    {"choices[].text", kNone, kDelta, Slot::kContent},
    {"choices[].delta.role", kNone, kLeave},
    {"choices[].delta.content", kNone, kDelta, Slot::kContent},
    {"choices[].delta.refusal", kNone, kDelta, Slot::kRefusal},
    {"choices[].delta.reasoning_content", kNone, kDelta, Slot::kReasoning},
    {"choices[].delta.reasoning", kNone, kDelta, Slot::kOther},
    {"choices[].delta.tool_calls[].index", kInnerIndex},
    {"choices[].delta.tool_calls[].id", kNone, kLeave},
    {"choices[].delta.tool_calls[].type", kNone, kLeave},
    {"choices[].delta.tool_calls[].function.name", kToolName, kLeave},
    {"choices[].delta.tool_calls[].function.arguments", kNone, kJsonDelta, Slot::kArguments},
    {"choices[].delta.function_call.name", kToolName, kLeave},
    {"choices[].delta.function_call.arguments", kNone, kJsonDelta, Slot::kFunctionCall},
    {"choices[].delta.audio.id", kNone, kLeave},
    {"choices[].delta.audio.data", kNone, kLeave},
    {"choices[].delta.audio.transcript", kNone, kDelta, Slot::kTranscript},
};

}  // namespace

const DialectFields& chat_fields() {
  static const FieldMap kRequestMap({{"", kRequest}});
  static const FieldMap kResponseMap({{"", kCommon}, {"", kUsageRules}, {"", kResponse}});
  static const FieldMap kEventMap({{"", kCommon}, {"", kUsageRules}, {"", kEvent}});
  static const DialectFields kFields{kRequestMap, kResponseMap, kEventMap};
  return kFields;
}

}  // namespace agentsh::llm
