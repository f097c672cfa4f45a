#include "proxy/llm/dialect_fields.h"

namespace agentsh::llm {
namespace {

// Bodies of which nothing is known: every string is text, but for the commonest names of what is
// none.
constexpr FieldRule kAnyRules[] = {
    {"", Field::kNone, TextUse::kText},
    {"model", Field::kModel, TextUse::kLeave},
    {"stream", Field::kStream},
    {"usage", Field::kUsage, TextUse::kLeave},
};

const DialectFields& any_fields() {
  static const FieldMap kMap({{"", kAnyRules}});
  static const DialectFields kFields{kMap, kMap, kMap};
  return kFields;
}

}  // namespace

bool is_anthropic_on_bedrock(std::string_view model) {
  const std::size_t at = model.find("anthropic.");
  return at != std::string_view::npos && (at == 0 || model[at - 1] == '.' || model[at - 1] == '/');
}

const DialectFields& fields_of(Dialect dialect, std::string_view model) {
  switch (dialect) {
    case Dialect::kChat:
    case Dialect::kCompletions:
    case Dialect::kEmbeddings:
      return chat_fields();
    case Dialect::kResponses:
      return responses_fields();
    case Dialect::kRealtime:
      return realtime_fields();
    case Dialect::kMessages:
    case Dialect::kCountTokens:
      return messages_fields();
    case Dialect::kGenerateContent:
    case Dialect::kStreamGenerateContent:
      return gemini_fields();
    case Dialect::kConverse:
    case Dialect::kConverseStream:
      return converse_fields();
    case Dialect::kInvokeModel:
    case Dialect::kInvokeModelStream:
      return is_anthropic_on_bedrock(model) ? messages_fields() : any_fields();
    case Dialect::kOther:
    case Dialect::kMessageBatches:
      break;
  }
  return any_fields();
}

}  // namespace agentsh::llm
