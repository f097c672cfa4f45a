// Gemini's generateContent and streamGenerateContent, of the Gemini API and of Vertex AI. Requests
// may spell names in either of protobuf's two JSON forms.
#include "proxy/llm/dialect_fields.h"

namespace agentsh::llm {
namespace {

using enum Field;
using enum TextUse;

// Below a part.
constexpr FieldRule kPart[] = {
    {"thought", kThought},
    {"thoughtSignature", kNone, kLeave},
    {"thought_signature", kNone, kLeave},
    {"inlineData", kNone, kLeave},
    {"inline_data", kNone, kLeave},
    {"fileData.mimeType", kNone, kLeave},
    {"functionCall.id", kNone, kLeave},
    {"functionCall.name", kToolName, kLeave},
    {"functionCall.args", kNone, kFree},
    {"function_call.name", kToolName, kLeave},
    {"function_call.args", kNone, kFree},
    {"functionResponse.id", kNone, kLeave},
    {"functionResponse.name", kNone, kLeave},
    {"functionResponse.response", kNone, kFree},
    {"function_response.name", kNone, kLeave},
    {"function_response.response", kNone, kFree},
    {"executableCode.language", kNone, kLeave},
    {"codeExecutionResult.outcome", kNone, kLeave},
};

constexpr FieldRule kRequest[] = {
    {"", kNone, kText},
    {"contents[].role", kNone, kLeave},
    {"systemInstruction.role", kNone, kLeave},
    {"tools[].functionDeclarations[].name", kNone, kLeave},
    {"tools[].function_declarations[].name", kNone, kLeave},
    {"toolConfig", kNone, kLeave},
    {"tool_config", kNone, kLeave},
    {"safetySettings", kNone, kLeave},
    {"safety_settings", kNone, kLeave},
    {"generationConfig.responseMimeType", kNone, kLeave},
    {"generationConfig.maxOutputTokens", kMaxTokens},
    {"generationConfig.candidateCount", kAnswers},
    {"generation_config.candidate_count", kAnswers},
    {"generation_config.max_output_tokens", kMaxTokens},
    {"cachedContent", kNone, kLeave},
    {"model", kNone, kLeave},
};

constexpr FieldRule kResponse[] = {
    {"", kNone, kText},
    {"candidates[].index", kOuterIndex},
    {"candidates[].content.role", kNone, kLeave},
    {"candidates[].finishReason", kFinishReason, kLeave},
    {"candidates[].safetyRatings", kNone, kLeave},
    {"candidates[].logprobsResult", kNone, kLeave},
    {"modelVersion", kModel, kLeave},
    {"responseId", kResponseId, kLeave},
    {"createTime", kNone, kLeave},
    {"promptFeedback.blockReason", kFinishReason, kLeave},
    {"error.status", kErrorType, kLeave},
    {"usageMetadata", kUsage, kLeave},
    {"usageMetadata.promptTokenCount", kInputTokens},
    {"usageMetadata.toolUsePromptTokenCount", kMoreInput},
    {"usageMetadata.candidatesTokenCount", kOutputTokens},
    {"usageMetadata.thoughtsTokenCount", kMoreOutput},
    {"usageMetadata.cachedContentTokenCount", kCacheRead},
};

constexpr FieldRule kEvent[] = {
    {"candidates[].content.parts[].text", kNone, kDelta, Slot::kContent},
};

}  // namespace

const DialectFields& gemini_fields() {
  static constexpr std::string_view kParts = "candidates[].content.parts[].";
  static const FieldMap kRequestMap({{"", kRequest},
                                     {"contents[].parts[].", kPart},
                                     {"systemInstruction.parts[].", kPart},
                                     {"system_instruction.parts[].", kPart}});
  static const FieldMap kResponseMap({{"", kResponse}, {kParts, kPart}});
  static const FieldMap kEventMap({{"", kResponse}, {kParts, kPart}, {"", kEvent}});
  static const DialectFields kFields{kRequestMap, kResponseMap, kEventMap};
  return kFields;
}

}  // namespace agentsh::llm
