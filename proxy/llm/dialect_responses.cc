// OpenAI Responses and Realtime, whose items and events are alike.
#include "proxy/llm/dialect_fields.h"

namespace agentsh::llm {
namespace {

using enum Field;
using enum TextUse;

// Below an item: of `input`, of `output`, `item` of an event.
constexpr FieldRule kItem[] = {
    {"type", kNone, kLeave},
    {"role", kNone, kLeave},
    {"id", kNone, kLeave},
    {"object", kNone, kLeave},
    {"call_id", kNone, kLeave},
    {"status", kNone, kLeave},
    {"phase", kNone, kLeave},
    {"encrypted_content", kNone, kLeave},
    {"arguments", kNone, kJson},
    {"result", kNone, kLeave},  // Of image generation: base64.
    {"name", kToolName, kLeave},
    {"content[].type", kNone, kLeave},
    {"content[].image_url", kNone, kDataUrl},
    {"content[].file_data", kNone, kDataUrl},
    {"content[].file_id", kNone, kLeave},
    {"content[].detail", kNone, kLeave},
    {"content[].audio", kNone, kLeave},
    {"content[].input_audio", kNone, kLeave},
    {"content[].logprobs", kNone, kLeave},
    {"output[].type", kNone, kLeave},
    {"output[].image_url", kNone, kDataUrl},
    {"output.image_url", kNone, kDataUrl},
    {"output.type", kNone, kLeave},
    {"summary[].type", kNone, kLeave},
};

constexpr FieldRule kRequest[] = {
    {"", kNone, kText},
    {"model", kModel, kLeave},
    {"stream", kStream},
    {"max_output_tokens", kMaxTokens},
    {"service_tier", kServiceTier, kLeave},
    {"previous_response_id", kNone, kLeave},
    {"conversation", kNone, kLeave},
    {"include", kNone, kLeave},
    {"reasoning", kNone, kLeave},
    {"tools[].type", kNone, kLeave},
    {"tools[].name", kNone, kLeave},
    {"tool_choice", kNone, kLeave},
    {"truncation", kNone, kLeave},
    {"prompt.id", kNone, kLeave},
    {"text.format.type", kNone, kLeave},
    {"text.format.name", kNone, kLeave},
    {"text.verbosity", kNone, kLeave},
};

constexpr FieldRule kResponse[] = {
    {"", kNone, kText},
    {"id", kResponseId, kLeave},
    {"object", kNone, kLeave},
    {"status", kNone, kLeave},
    {"model", kModel, kLeave},
    {"service_tier", kServiceTier, kLeave},
    {"previous_response_id", kNone, kLeave},
    {"reasoning", kNone, kLeave},
    {"tools[].type", kNone, kLeave},
    {"tools[].name", kNone, kLeave},
    {"tool_choice", kNone, kLeave},
    {"truncation", kNone, kLeave},
    {"incomplete_details.reason", kFinishReason, kLeave},
    {"error.code", kErrorType, kLeave},
    {"error.type", kErrorType, kLeave},
    {"usage", kUsage, kLeave},
    {"usage.input_tokens", kInputTokens},
    {"usage.output_tokens", kOutputTokens},
    {"usage.input_tokens_details.cached_tokens", kCacheRead},
    {"usage.input_tokens_details.cache_write_tokens", kCacheWrite},
    {"usage.output_tokens_details.reasoning_tokens", kReasoning},
    // As Realtime spells them.
    {"usage.input_token_details.cached_tokens", kCacheRead},
    {"usage.input_token_details.audio_tokens", kAudioInput},
    {"usage.output_token_details.audio_tokens", kAudioOutput},
};

constexpr FieldRule kEvent[] = {
    {"", kNone, kText},
    {"type", kEventType, kLeave},
    {"event_id", kNone, kLeave},
    {"response_id", kNone, kLeave},
    {"item_id", kNone, kLeave},
    {"output_index", kOuterIndex},
    {"content_index", kInnerIndex},
    {"summary_index", kInnerIndex},
    {"obfuscation", kNone, kLeave},
    {"logprobs", kNone, kLeave},
    {"delta", kNone, kDelta},  // Whether it is text, JSON or base64 depends on the event's type.
    {"arguments", kNone, kJson},
    {"partial_image_b64", kNone, kLeave},
    {"audio", kNone, kLeave},
    {"part.type", kNone, kLeave},
    {"part.logprobs", kNone, kLeave},
    {"code", kNone, kText},
    {"error.type", kErrorType, kLeave},
    {"error.code", kNone, kLeave},
};

constexpr FieldRule kSession[] = {
    {"session.id", kNone, kLeave},
    {"session.model", kModel, kLeave},
    {"session.type", kNone, kLeave},
    {"session.tools[].type", kNone, kLeave},
    {"session.tools[].name", kNone, kLeave},
    {"session.modalities", kNone, kLeave},
    {"session.output_modalities", kNone, kLeave},
    {"session.audio", kNone, kLeave},
    {"session.voice", kNone, kLeave},
    {"response.modalities", kNone, kLeave},
    {"response.output_modalities", kNone, kLeave},
    {"response.voice", kNone, kLeave},
    {"previous_item_id", kNone, kLeave},
};

}  // namespace

const DialectFields& responses_fields() {
  static const FieldMap kRequestMap({{"", kRequest}, {"input[].", kItem}});
  static const FieldMap kResponseMap({{"", kResponse}, {"output[].", kItem}});
  static const FieldMap kEventMap(
      {{"response.", kResponse}, {"response.output[].", kItem}, {"", kEvent}, {"item.", kItem}});
  static const DialectFields kFields{kRequestMap, kResponseMap, kEventMap};
  return kFields;
}

const DialectFields& realtime_fields() {
  static const FieldMap kClientMap({{"", kEvent}, {"", kSession}, {"item.", kItem}});
  static const FieldMap kEventMap({{"response.", kResponse},
                                   {"response.output[].", kItem},
                                   {"", kEvent},
                                   {"", kSession},
                                   {"item.", kItem}});
  static const DialectFields kFields{kClientMap, responses_fields().response, kEventMap};
  return kFields;
}

}  // namespace agentsh::llm
