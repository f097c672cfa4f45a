#include "proxy/llm/facts.h"

#include <algorithm>
#include <charconv>

namespace agentsh::llm {
namespace {

void assign(const FieldReader::Token& token, std::string& out) {
  if (token.kind != JsonKind::kString) return;
  std::string text;
  if (!json_unescape(token.text, text)) return;
  text.resize(std::min(text.size(), AnswerFacts::kMaxName));
  if (!text.empty()) out = std::move(text);
}

void add_once(const FieldReader::Token& token, std::vector<std::string>& names) {
  std::string name;
  assign(token, name);
  if (name.empty() || names.size() >= AnswerFacts::kMaxTools) return;
  if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
}

// A count is a whole number, whatever its spelling: "12", "12.0", "1.2e1".
bool read_count(std::string_view text, std::uint64_t& count) {
  const char* end = text.data() + text.size();
  if (auto [at, error] = std::from_chars(text.data(), end, count);
      error == std::errc() && at == end) {
    return true;
  }
  double number = 0;
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || at != end || number < 0 || number > 1e15) return false;
  count = static_cast<std::uint64_t>(number);
  return true;
}

}  // namespace

void AnswerFacts::take(const FieldReader::Token& token) {
  if (is_count(token.place.field)) {
    std::uint64_t count = 0;
    if (token.kind == JsonKind::kNumber && read_count(token.text, count)) {
      usage.take(token.place.field, count);
    }
    return;
  }
  switch (token.place.field) {
    case Field::kModel:
      return assign(token, model);
    case Field::kResponseId:
      return assign(token, response_id);
    case Field::kServiceTier:
      return assign(token, service_tier);
    case Field::kSpeed:
      return assign(token, speed);
    case Field::kFinishReason:
      return assign(token, finish_reason);
    case Field::kErrorType:
      return assign(token, error_type);
    case Field::kToolName:
      return add_once(token, tools);
    default:
      return;
  }
}

}  // namespace agentsh::llm
