// Hexadecimal, Base64 (RFC 4648) and UTF-8 checks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace agentsh {

std::string to_hex(std::span<const std::uint8_t> bytes);
std::string to_base64(std::string_view bytes);
// Strict: padding required, no line breaks.
std::optional<std::string> from_base64(std::string_view text);

// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

// `text` with every byte that is not printable ASCII shown as \xNN, for terminals and logs.
std::string printable(std::string_view text);

}  // namespace agentsh
