// Bedrock's Converse and ConverseStream. The type of a streamed event stands in its headers.
#include "proxy/llm/dialect_fields.h"

namespace agentsh::llm {
namespace {

using enum Field;
using enum TextUse;

// Below a content block.
constexpr FieldRule kBlock[] = {
    {"image", kNone, kLeave},
    {"video", kNone, kLeave},
    {"audio", kNone, kLeave},
    {"document.format", kNone, kLeave},
    {"document.source.bytes", kNone, kLeave},
    {"document.source.s3Location", kNone, kLeave},
    {"toolUse.toolUseId", kNone, kLeave},
    {"toolUse.name", kToolName, kLeave},
    {"toolUse.input", kNone, kFree},
    {"toolResult.toolUseId", kNone, kLeave},
    {"toolResult.status", kNone, kLeave},
    {"toolResult.content[].json", kNone, kFree},
    {"toolResult.content[].image", kNone, kLeave},
    {"toolResult.content[].video", kNone, kLeave},
    {"toolResult.content[].document.format", kNone, kLeave},
    {"toolResult.content[].document.source.bytes", kNone, kLeave},
    {"reasoningContent.reasoningText.signature", kNone, kLeave},
    {"reasoningContent.redactedContent", kNone, kLeave},
    {"cachePoint", kNone, kLeave},
};

constexpr FieldRule kRequest[] = {
    {"", kNone, kText},
    {"messages[].role", kNone, kLeave},
    {"system[].cachePoint", kNone, kLeave},
    {"inferenceConfig.maxTokens", kMaxTokens},
    {"toolConfig.tools[].toolSpec.name", kNone, kLeave},
    {"toolConfig.tools[].cachePoint", kNone, kLeave},
    {"toolConfig.toolChoice", kNone, kLeave},
    {"guardrailConfig", kNone, kLeave},
    {"performanceConfig", kNone, kLeave},
    {"serviceTier.type", kServiceTier, kLeave},
};

constexpr FieldRule kCommon[] = {
    {"", kNone, kText},
    {"stopReason", kFinishReason, kLeave},
    {"usage", kUsage, kLeave},
    {"usage.inputTokens", kUncachedInput},
    {"usage.outputTokens", kOutputTokens},
    {"usage.cacheReadInputTokens", kCacheRead},
    {"usage.cacheWriteInputTokens", kCacheWrite},
    {"metrics", kNone, kLeave},
    {"serviceTier.type", kServiceTier, kLeave},
    {"performanceConfig", kNone, kLeave},
};

constexpr FieldRule kEvent[] = {
    {"role", kNone, kLeave},
    {"p", kNone, kLeave},  // Padding against guessing lengths.
    {"contentBlockIndex", kOuterIndex},
    {"start.toolUse.toolUseId", kNone, kLeave},
    {"start.toolUse.name", kToolName, kLeave},
    {"delta.text", kNone, kDelta, Slot::kContent},
    {"delta.toolUse.input", kNone, kJsonDelta, Slot::kArguments},
    {"delta.reasoningContent.text", kNone, kDelta, Slot::kReasoning},
    {"delta.reasoningContent.signature", kNone, kLeave},
    {"delta.reasoningContent.redactedContent", kNone, kLeave},
};

}  // namespace

const DialectFields& converse_fields() {
  static const FieldMap kRequestMap({{"", kRequest}, {"messages[].content[].", kBlock}});
  static const FieldMap kResponseMap({{"", kCommon}, {"output.message.content[].", kBlock}});
  static const FieldMap kEventMap({{"", kCommon}, {"", kEvent}});
  static const DialectFields kFields{kRequestMap, kResponseMap, kEventMap};
  return kFields;
}

}  // namespace agentsh::llm
