#include "dlp/json_splice.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kUnicodeEscape = 6;  // \uXXXX

// The value of \uXXXX at the beginning of `raw`; nothing when it is none.
std::int32_t unicode_escape(std::string_view raw) {
  if (raw.size() < kUnicodeEscape || raw[0] != '\\' || raw[1] != 'u') return -1;
  std::int32_t value = 0;
  for (const char digit : raw.substr(2, 4)) {
    value <<= 4;
    if (digit >= '0' && digit <= '9') {
      value += digit - '0';
    } else if (digit >= 'a' && digit <= 'f') {
      value += digit - 'a' + 10;
    } else if (digit >= 'A' && digit <= 'F') {
      value += digit - 'A' + 10;
    } else {
      return -1;
    }
  }
  return value;
}

bool is_high_surrogate(std::int32_t value) {
  return value >= 0xd800 && value <= 0xdbff;
}
bool is_low_surrogate(std::int32_t value) {
  return value >= 0xdc00 && value <= 0xdfff;
}

// Whether `raw` could go on to be \uXXXX.
bool may_become_unicode_escape(std::string_view raw) {
  constexpr std::string_view kBegin = "\\u";
  if (raw.size() >= kUnicodeEscape) return false;
  if (raw.substr(0, 2) != kBegin.substr(0, std::min(raw.size(), kBegin.size()))) return false;
  return raw.size() <= 2 || std::ranges::all_of(raw.substr(2), [](char digit) {
           return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f') ||
                  (digit >= 'A' && digit <= 'F');
         });
}

char simple_escape(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

// UTF-8, surrogates included.
void append_code_point(std::string& out, std::uint32_t value) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((value >> shift) & 0x3f));
  };
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xc0 | (value >> 6));
    tail(0);
  } else if (value < 0x10000) {
    out += static_cast<char>(0xe0 | (value >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (value >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  for (const char byte : text) {
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(byte) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(byte));
        } else {
          out += byte;
        }
    }
  }
}

JsonEscape read_json_escape(std::string_view raw, bool at_end) {
  constexpr JsonEscape kIncomplete{0, 0};
  constexpr JsonEscape kWrong{std::string_view::npos, 0};
  if (raw.size() < 2) return kIncomplete;
  if (raw[1] != 'u') {
    const char byte = simple_escape(raw[1]);
    return byte == 0 ? kWrong : JsonEscape{2, static_cast<std::uint32_t>(byte)};
  }
  if (may_become_unicode_escape(raw)) return kIncomplete;
  const std::int32_t value = unicode_escape(raw);
  if (value < 0) return kWrong;
  if (is_high_surrogate(value)) {
    const std::string_view rest = raw.substr(kUnicodeEscape);
    if (!at_end && may_become_unicode_escape(rest)) return kIncomplete;
    if (const std::int32_t low = unicode_escape(rest); is_low_surrogate(low)) {
      return {2 * kUnicodeEscape,
              static_cast<std::uint32_t>(0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00))};
    }
  }
  return {kUnicodeEscape, static_cast<std::uint32_t>(value)};
}

namespace {

// Appends what all of a string's content says; false at a wrong escape.
bool append_unescaped(std::string& text, std::string_view raw) {
  while (true) {
    const std::size_t literal = std::min(raw.find('\\'), raw.size());
    text.append(raw, 0, literal);
    raw.remove_prefix(literal);
    if (raw.empty()) return true;
    if (raw.size() >= 2 && raw[1] != 'u') {
      const char byte = simple_escape(raw[1]);
      if (byte == 0) return false;
      text += byte;
      raw.remove_prefix(2);
      continue;
    }
    const JsonEscape escape = read_json_escape(raw, true);
    if (escape.size == 0 || escape.size > raw.size()) return false;
    append_code_point(text, escape.code_point);
    raw.remove_prefix(escape.size);
  }
}

}  // namespace

std::string json_unescaped(std::string_view raw) {
  std::string text;
  (void)append_unescaped(text, raw);
  return text;
}

JsonSplice::JsonSplice(TextEditor& editor) : splice_(editor, append_json_escaped) {}

void JsonSplice::begin(const TextOrigin& origin) {
  is_fresh_ = true;
  partial_.clear();
  splice_.begin(origin);
}

bool JsonSplice::push(std::string_view raw, std::string& out) {
  if (raw.empty()) return true;
  is_fresh_ = false;
  if (!decode(raw, false)) return false;
  splice_.push(out);
  return true;
}

bool JsonSplice::finish(std::string_view raw, std::string& out) {
  if (!is_fresh_) return decode(raw, true) && splice_.finish(out);
  // The usual case: all of a string at once, in which nothing is replaced.
  if (!raw.contains('\\')) return splice_.edit_whole(raw, out);
  decoded_.clear();
  if (!append_unescaped(decoded_, raw) || !splice_.show_whole(decoded_)) return false;
  if (splice_.is_unchanged()) {
    out.append(raw);
    return true;
  }
  if (!decode(raw, true)) return false;
  splice_.edit_shown(out);
  return true;
}

bool JsonSplice::decode(std::string_view raw, bool at_end) {
  std::string joined;
  if (!partial_.empty()) {
    joined = partial_ + std::string(raw);
    partial_.clear();
    raw = joined;
  }
  std::string decoded;
  while (!raw.empty()) {
    const std::size_t literal = std::min(raw.find('\\'), raw.size());
    splice_.add_literal(raw.substr(0, literal));
    raw.remove_prefix(literal);
    if (raw.empty()) break;
    const JsonEscape escape = read_json_escape(raw, at_end);
    if (escape.size == 0) {
      partial_ = raw;
      return !at_end;
    }
    if (escape.size > raw.size()) return false;
    decoded.clear();
    append_code_point(decoded, escape.code_point);
    splice_.add_escape(decoded, raw.substr(0, escape.size));
    raw.remove_prefix(escape.size);
  }
  return true;
}

}  // namespace agentsh::dlp
