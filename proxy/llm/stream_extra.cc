// Events of our own, in the shape of each dialect.
#include "proxy/llm/stream_editor.h"

#include <fmt/format.h>

namespace agentsh::llm {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  json_escape(text, out);
  out += '"';
  return out;
}

std::string chat_delta(Slot slot, std::uint32_t inner, std::string_view text) {
  switch (slot) {
    case Slot::kRefusal:
      return fmt::format(R"({{"refusal":{}}})", text);
    case Slot::kReasoning:
      return fmt::format(R"({{"reasoning_content":{}}})", text);
    case Slot::kArguments:
      return fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}]}})",
                         inner, text);
    case Slot::kFunctionCall:
      return fmt::format(R"({{"function_call":{{"arguments":{}}}}})", text);
    case Slot::kTranscript:
      return fmt::format(R"({{"audio":{{"transcript":{}}}}})", text);
    case Slot::kOther:
      return fmt::format(R"({{"reasoning":{}}})", text);
    case Slot::kContent:
      break;
  }
  return fmt::format(R"({{"content":{}}})", text);
}

std::string messages_delta(Slot slot, std::string_view text) {
  if (slot == Slot::kArguments) {
    return fmt::format(R"({{"type":"input_json_delta","partial_json":{}}})", text);
  }
  if (slot == Slot::kReasoning) {
    return fmt::format(R"({{"type":"thinking_delta","thinking":{}}})", text);
  }
  return fmt::format(R"({{"type":"text_delta","text":{}}})", text);
}

std::string converse_delta(Slot slot, std::string_view text) {
  if (slot == Slot::kArguments) return fmt::format(R"({{"toolUse":{{"input":{}}}}})", text);
  if (slot == Slot::kReasoning) return fmt::format(R"({{"reasoningContent":{{"text":{}}}}})", text);
  return fmt::format(R"({{"text":{}}})", text);
}

}  // namespace

ExtraEvent StreamEditor::event_for(const Text& text, std::string_view rest) const {
  const std::string value = quoted(rest);
  const Key& key = text.key;
  switch (family_) {
    case Family::kAnthropic:
      return {"content_block_delta",
              fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{}}})", key.outer,
                          messages_delta(key.slot, value))};
    case Family::kBedrock:
      return {"contentBlockDelta", fmt::format(R"({{"contentBlockIndex":{},"delta":{}}})",
                                               key.outer, converse_delta(key.slot, value))};
    case Family::kGemini:
      return {
          "",
          fmt::format(
              R"({{"candidates":[{{"content":{{"parts":[{{"text":{}{}}}],"role":"model"}},"index":{}}}]}})",
              value, key.slot == Slot::kReasoning ? R"(,"thought":true)" : "", key.outer)};
    case Family::kOpenAi:
      break;
  }
  if (dialect_ == Dialect::kResponses || dialect_ == Dialect::kRealtime) {
    // The event whose text this is the rest of, again: with its ids and its sequence number, so
    // that a client that resumes by number misses nothing.
    ExtraEvent extra;
    extra.data = text.like.substr(0, text.like_begin) + value + text.like.substr(text.like_end);
    FieldReader reader(map_);
    FieldReader::Token token;
    reader.feed(text.like);
    while (reader.next(token) == JsonStep::kToken) {
      if (token.place.field == Field::kEventType) extra.type = token.text;
    }
    return extra;
  }
  if (dialect_ == Dialect::kCompletions) {
    return {"", fmt::format(R"({{{}"choices":[{{"index":{},"text":{},"finish_reason":null}}]}})",
                            chat_head_, key.outer, value)};
  }
  return {"", fmt::format(R"({{{}"choices":[{{"index":{},"delta":{},"finish_reason":null}}]}})",
                          chat_head_, key.outer, chat_delta(key.slot, key.inner, value))};
}

}  // namespace agentsh::llm
