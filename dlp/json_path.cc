#include "dlp/json_editor.h"

#include <fmt/format.h>

namespace agentsh::dlp {
namespace {

bool is_name(std::string_view key) {
  if (key.empty()) return false;
  for (const char byte : key) {
    const bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                         (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
    if (!is_word) return false;
  }
  return true;
}

}  // namespace

JsonPath::Step JsonPath::step(std::size_t level) const {
  const Frame& frame = frames_[level];
  return {std::string_view(keys_).substr(frame.key_begin, frame.key_end - frame.key_begin),
          frame.index, frame.in_array};
}

std::string_view JsonPath::nearest_key() const {
  for (std::size_t level = depth(); level-- > 0;) {
    if (!frames_[level].in_array) return step(level).key;
  }
  return {};
}

std::string JsonPath::text() const {
  std::string text;
  for (std::size_t level = 0; level < depth(); ++level) {
    const Step at = step(level);
    if (at.in_array) {
      text += fmt::format("[{}]", at.index);
    } else if (is_name(at.key)) {
      if (!text.empty()) text += '.';
      text += at.key;
    } else {
      text += "[\"";
      for (const char byte : at.key) {
        if (byte == '"' || byte == '\\') text += '\\';
        text += static_cast<unsigned char>(byte) < 0x20 ? '?' : byte;
      }
      text += "\"]";
    }
  }
  return text;
}

bool JsonPath::matches(std::span<const std::string_view> pattern) const {
  return matches_from(0, pattern);
}

bool JsonPath::matches_from(std::size_t level, std::span<const std::string_view> pattern) const {
  for (; !pattern.empty(); pattern = pattern.subspan(1), ++level) {
    const std::string_view wanted = pattern.front();
    if (wanted == "**") {
      if (pattern.size() == 1) return true;
      for (std::size_t skip = level; skip <= depth(); ++skip) {
        if (matches_from(skip, pattern.subspan(1))) return true;
      }
      return false;
    }
    if (level >= depth()) return false;
    const Step at = step(level);
    if (at.in_array ? wanted != "[]" : wanted != "*" && wanted != at.key) return false;
  }
  return level == depth();
}

}  // namespace agentsh::dlp
