// Hexadecimal, percent-encoding (RFC 3986), Base64 (RFC 4648) and UTF-8 checks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agentsh {

// The value of a hexadecimal digit of either case; -1 for any other character.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
// The byte that "%XX" at the beginning of `text` spells (RFC 3986); -1 when there is none.
constexpr int percent_escape(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_digit(text[1]);
  const int low = hex_digit(text[2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}
// Every "%XX" as its byte; a "%" that begins none stays.
std::string percent_decoded(std::string_view text);
// Every byte that is not unreserved (RFC 3986 section 2.3) nor in `kept` as "%XX".
std::string percent_encoded(std::string_view text, std::string_view kept = {});

std::string to_hex(std::span<const std::uint8_t> bytes);
std::string to_base64(std::string_view bytes);
// Strict: padding required, no line breaks.
std::optional<std::string> from_base64(std::string_view text);

// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

// `text` with every byte that is not printable ASCII shown as \xNN, for terminals and logs.
std::string printable(std::string_view text);

}  // namespace agentsh
