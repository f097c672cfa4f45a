// Anthropic Messages, also as Vertex and Bedrock's InvokeModel carry them.
#include "proxy/llm/dialect_fields.h"

namespace agentsh::llm {
namespace {

using enum Field;
using enum TextUse;

// Below a content block.
constexpr FieldRule kBlock[] = {
    {"type", kNone, kLeave},
    {"id", kNone, kLeave},
    {"tool_use_id", kNone, kLeave},
    {"name", kToolName, kLeave},
    {"input", kNone, kFree},
    {"signature", kNone, kLeave},
    {"data", kNone, kLeave},  // Of redacted thinking.
    {"cache_control", kNone, kLeave},
    {"source.type", kNone, kLeave},
    {"source.media_type", kNone, kLeave},
    {"source.data", kNone, kTyped},
    {"source.file_id", kNone, kLeave},
    {"encrypted_content", kNone, kLeave},
    {"content[].type", kNone, kLeave},
    {"content[].encrypted_content", kNone, kLeave},
    {"content[].cache_control", kNone, kLeave},
    {"content[].source.type", kNone, kLeave},
    {"content[].source.media_type", kNone, kLeave},
    {"content[].source.data", kNone, kTyped},
    {"content[].source.file_id", kNone, kLeave},
    {"citations[].type", kNone, kLeave},
    {"citations[].encrypted_index", kNone, kLeave},
    {"citations[].file_id", kNone, kLeave},
};

constexpr FieldRule kRequest[] = {
    {"", kNone, kText},
    {"model", kModel, kLeave},
    {"stream", kStream},
    {"max_tokens", kMaxTokens},
    {"service_tier", kServiceTier, kLeave},
    {"anthropic_version", kNone, kLeave},
    {"anthropic_beta", kNone, kLeave},
    {"betas", kNone, kLeave},
    {"system[].type", kNone, kLeave},
    {"system[].cache_control", kNone, kLeave},
    {"messages[].role", kNone, kLeave},
    {"tools[].type", kNone, kLeave},
    {"tools[].name", kNone, kLeave},
    {"tools[].cache_control", kNone, kLeave},
    {"tool_choice", kNone, kLeave},
    {"thinking", kNone, kLeave},
    {"output_config.effort", kNone, kLeave},
};

constexpr FieldRule kUsageRules[] = {
    {"usage", kUsage, kLeave},
    {"usage.input_tokens", kUncachedInput},
    {"usage.output_tokens", kOutputTokens},
    {"usage.cache_creation_input_tokens", kCacheWrite},
    {"usage.cache_read_input_tokens", kCacheRead},
    {"usage.cache_creation.ephemeral_1h_input_tokens", kCacheWriteHour},
    {"usage.server_tool_use.web_search_requests", kSearches},
    {"usage.output_tokens_details.thinking_tokens", kReasoning},
    {"usage.service_tier", kServiceTier, kLeave},
    {"usage.speed", kSpeed, kLeave},
};

constexpr FieldRule kMessage[] = {
    {"", kNone, kText},           {"id", kResponseId, kLeave},
    {"type", kNone, kLeave},      {"role", kNone, kLeave},
    {"model", kModel, kLeave},    {"stop_reason", kFinishReason, kLeave},
    {"container", kNone, kLeave}, {"error.type", kErrorType, kLeave},
};

constexpr FieldRule kEvent[] = {
    {"", kNone, kText},
    {"type", kEventType, kLeave},
    {"index", kOuterIndex},
    {"delta.type", kNone, kLeave},
    {"delta.text", kNone, kDelta, Slot::kContent},
    {"delta.thinking", kNone, kDelta, Slot::kReasoning},
    {"delta.partial_json", kNone, kJsonDelta, Slot::kArguments},
    {"delta.signature", kNone, kLeave},
    {"delta.stop_reason", kFinishReason, kLeave},
    {"delta.container", kNone, kLeave},
    {"content_block.text", kNone, kDelta, Slot::kContent},
    {"content_block.thinking", kNone, kDelta, Slot::kReasoning},
    {"error.type", kErrorType, kLeave},
    // What Bedrock adds to the last event of InvokeModel.
    {"amazon-bedrock-invocationMetrics", kUsage, kLeave},
    {"amazon-bedrock-invocationMetrics.inputTokenCount", kUncachedInput},
    {"amazon-bedrock-invocationMetrics.outputTokenCount", kOutputTokens},
    {"amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", kCacheRead},
    {"amazon-bedrock-invocationMetrics.cacheWriteInputTokenCount", kCacheWrite},
};

}  // namespace

const DialectFields& messages_fields() {
  static const FieldMap kRequestMap({{"", kRequest}, {"messages[].content[].", kBlock}});
  static const FieldMap kResponseMap({{"", kMessage}, {"", kUsageRules}, {"content[].", kBlock}});
  static const FieldMap kEventMap({{"message.", kMessage},
                                   {"message.", kUsageRules},
                                   {"message.content[].", kBlock},
                                   {"content_block.", kBlock},
                                   {"", kUsageRules},
                                   {"", kEvent}});
  static const DialectFields kFields{kRequestMap, kResponseMap, kEventMap};
  return kFields;
}

}  // namespace agentsh::llm
