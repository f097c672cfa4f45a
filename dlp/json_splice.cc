#include "dlp/json_splice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

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

std::string json_unescaped(std::string_view raw) {
  std::string text;
  while (!raw.empty()) {
    const std::size_t literal = std::min(raw.find('\\'), raw.size());
    text.append(raw, 0, literal);
    raw.remove_prefix(literal);
    if (raw.empty()) break;
    const JsonEscape escape = read_json_escape(raw, true);
    if (escape.size == 0 || escape.size > raw.size()) break;
    append_code_point(text, escape.code_point);
    raw.remove_prefix(escape.size);
  }
  return text;
}

void JsonSplice::begin(const TextOrigin& origin) {
  edits_.clear();
  stretches_.clear();
  first_ = 0;
  kept_.clear();
  kept_used_ = 0;
  partial_.clear();
  received_ = 0;
  editor_.begin(origin);
}

bool JsonSplice::push(std::string_view raw, std::string& out) {
  if (!decode(raw, false)) return false;
  editor_.push(decoded_, edits_);
  apply(out);
  return true;
}

bool JsonSplice::finish(std::string_view raw, std::string& out) {
  // The usual case: all of a string that has no escapes. Nothing needs to be kept or decoded.
  if (received_ == 0 && partial_.empty() && std::memchr(raw.data(), '\\', raw.size()) == nullptr) {
    editor_.finish(raw, edits_);
    if (editor_.settled() != raw.size()) return false;
    std::size_t used = 0;
    for (const Edit& edit : edits_) {
      out.append(raw, used, edit.begin - used);
      append_json_escaped(out, edit.replacement);
      used = edit.end;
    }
    out.append(raw, used);
    return true;
  }
  if (!decode(raw, true)) return false;
  editor_.finish(decoded_, edits_);
  if (editor_.settled() != received_) return false;
  apply(out);
  return true;
}

// Decodes a piece into decoded_ and notes how it was spelled.
bool JsonSplice::decode(std::string_view raw, bool at_end) {
  decoded_.clear();
  std::string joined;
  if (!partial_.empty()) {
    joined = partial_ + std::string(raw);
    partial_.clear();
    raw = joined;
  }
  if (kept_used_ > 4096) {
    kept_.erase(0, kept_used_);
    kept_used_ = 0;
    stretches_.erase(stretches_.begin(), stretches_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  while (!raw.empty()) {
    const std::size_t literal = std::min(raw.find('\\'), raw.size());
    if (literal > 0) {
      const auto size = static_cast<std::uint32_t>(literal);
      stretches_.push_back({received_, size, size, true});
      received_ += literal;
      decoded_.append(raw, 0, literal);
      kept_.append(raw, 0, literal);
      raw.remove_prefix(literal);
      continue;
    }
    const JsonEscape escape = read_json_escape(raw, at_end);
    if (escape.size == 0) {
      partial_ = raw;
      return !at_end;
    }
    if (escape.size > raw.size()) return false;
    kept_.append(raw, 0, escape.size);
    add_escape(escape.code_point, escape.size);
    raw.remove_prefix(escape.size);
  }
  return true;
}

void JsonSplice::add_escape(std::uint32_t code_point, std::size_t raw_size) {
  const std::size_t before = decoded_.size();
  append_code_point(decoded_, code_point);
  const std::size_t size = decoded_.size() - before;
  stretches_.push_back(
      {received_, static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(raw_size), false});
  received_ += size;
}

void JsonSplice::apply(std::string& out) {
  for (const Edit& edit : edits_) {
    emit_until(widened(edit.begin, false), &out);
    append_json_escaped(out, edit.replacement);
    emit_until(widened(edit.end, true), nullptr);
  }
  edits_.clear();
  emit_until(widened(editor_.settled(), false), &out);
}

// An offset within an escape, moved to the escape's beginning or end.
std::uint64_t JsonSplice::widened(std::uint64_t decoded, bool up) const {
  const auto after = std::upper_bound(
      stretches_.begin() + static_cast<std::ptrdiff_t>(first_), stretches_.end(), decoded,
      [](std::uint64_t offset, const Stretch& stretch) { return offset < stretch.decoded; });
  if (after == stretches_.begin() + static_cast<std::ptrdiff_t>(first_)) return decoded;
  const Stretch& stretch = *std::prev(after);
  const std::uint64_t end = stretch.decoded + stretch.decoded_size;
  if (stretch.is_literal || decoded == stretch.decoded || decoded >= end) return decoded;
  return up ? end : stretch.decoded;
}

// Moves everything before `decoded` out, or away when there is no `out`.
void JsonSplice::emit_until(std::uint64_t decoded, std::string* out) {
  while (first_ < stretches_.size() && stretches_[first_].decoded < decoded) {
    Stretch& stretch = stretches_[first_];
    std::uint64_t raw_size = stretch.raw_size;
    if (stretch.decoded + stretch.decoded_size <= decoded) {
      ++first_;
    } else {
      raw_size = decoded - stretch.decoded;
      stretch.decoded = decoded;
      stretch.decoded_size -= static_cast<std::uint32_t>(raw_size);
      stretch.raw_size = stretch.decoded_size;
    }
    if (out != nullptr) out->append(kept_, kept_used_, raw_size);
    kept_used_ += raw_size;
  }
}

}  // namespace agentsh::dlp
