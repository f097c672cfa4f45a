// Small predicates on protocol text (RFC 9110 §5.6): ASCII letter case, white space, tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace agentsh::http {

// ASCII only, as in every protocol element that is compared here.
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool starts_ignoring_case(std::string_view text, std::string_view prefix);

// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text);

bool is_token_char(char c);
bool is_token(std::string_view text);  // At least one character.

// 1*DIGIT up to 2^63 - 1; signs, spaces and lists are not numbers.
std::optional<std::uint64_t> parse_decimal(std::string_view digits);

// Takes the next element off a comma-separated list; empty elements are skipped. Empty at the end.
std::string_view next_list_element(std::string_view& rest);

}  // namespace agentsh::http
