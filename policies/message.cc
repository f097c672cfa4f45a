#include "policies/message.h"

#include <algorithm>

namespace agentsh::policy {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string render_message(std::string_view message, std::span<const MessageValue> values) {
  std::string out;
  while (true) {
    const std::size_t open = message.find(kOpen);
    const std::size_t close = message.find(kClose, open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) break;
    out += message.substr(0, open);
    const std::string_view whole = message.substr(open, close + kClose.size() - open);
    std::string_view name = trimmed(message.substr(open + 2, close - open - 2));
    const bool dotted = name.starts_with('.');
    if (dotted) name.remove_prefix(1);
    const auto found = std::ranges::find(values, name, &MessageValue::name);
    out += dotted && found != values.end() ? found->value : whole;
    message.remove_prefix(close + kClose.size());
  }
  out += message;
  return out;
}

std::vector<std::string_view> message_names(std::string_view message) {
  std::vector<std::string_view> names;
  for (std::size_t open = message.find(kOpen); open != std::string_view::npos;
       open = message.find(kOpen, open + 2)) {
    const std::size_t close = message.find(kClose, open);
    if (close == std::string_view::npos) break;
    std::string_view name = trimmed(message.substr(open + 2, close - open - 2));
    if (name.starts_with('.')) name.remove_prefix(1);
    names.push_back(name);
  }
  return names;
}

}  // namespace agentsh::policy
