// Escapes of JSON strings.
#include "base/encoding.h"
#include "proxy/llm/json_lexer.h"

#include <array>

namespace agentsh::llm {
namespace {

// The code unit of "\uXXXX" at the start of `raw`, or -1.
int code_unit(std::string_view raw) {
  if (raw.size() < 6 || raw[0] != '\\' || raw[1] != 'u') return -1;
  int unit = 0;
  for (char c : raw.substr(2, 4)) {
    const int digit = hex_digit(c);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

void put_code_point(unsigned point, std::string& out) {
  const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6);
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

// Appends what the escape at the start of `raw` stands for; how much of `raw` it takes, 0 when it
// is malformed.
std::size_t unescape_one(std::string_view raw, std::string& out) {
  if (raw.size() < 2) return 0;
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  if (const std::size_t at = kFrom.find(raw[1]); at != std::string_view::npos) {
    out += kTo[at];
    return 2;
  }
  const int unit = code_unit(raw);
  if (unit < 0) return 0;
  if (unit >= 0xd800 && unit < 0xdc00) {
    const int low = code_unit(raw.substr(6));
    if (low >= 0xdc00 && low < 0xe000) {
      put_code_point(0x10000U + (static_cast<unsigned>(unit - 0xd800) << 10) +
                         static_cast<unsigned>(low - 0xdc00),
                     out);
      return 12;
    }
  }
  put_code_point(static_cast<unsigned>(unit), out);
  return 6;
}

void put_unit(unsigned unit, std::string& out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[unit >> shift & 15];
}

// The surrogate whose three bytes begin `text`, or 0.
unsigned surrogate(std::string_view text) {
  if (text.size() < 3) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const auto third = static_cast<unsigned char>(text[2]);
  if (text[0] != '\xed' || second < 0xa0 || second > 0xbf || third >> 6 != 2) return 0;
  return 0xd000U | (second & 0x3fU) << 6 | (third & 0x3fU);
}

}  // namespace

bool json_unescape(std::string_view raw, std::string& out) {
  while (true) {
    const std::size_t plain = raw.find('\\');
    out.append(raw.substr(0, plain));
    if (plain == std::string_view::npos) return true;
    raw.remove_prefix(plain);
    const std::size_t taken = unescape_one(raw, out);
    if (taken == 0) return false;
    raw.remove_prefix(taken);
  }
}

void json_escape(std::string_view text, std::string& out) {
  static constexpr std::string_view kNamed = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kNames = "\"\\bfnrt";
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool special = static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
    const unsigned half = c == '\xed' ? surrogate(text.substr(i)) : 0;
    if (!special && half == 0) continue;
    out.append(text.substr(done, i - done));
    if (half != 0) {
      put_unit(half, out);
      i += 2;
    } else if (const std::size_t at = kNamed.find(c); at != std::string_view::npos) {
      out += '\\';
      out += kNames[at];
    } else {
      put_unit(static_cast<unsigned char>(c), out);
    }
    done = i + 1;
  }
  out.append(text.substr(done));
}

}  // namespace agentsh::llm
