// Statement texts without what they say about people: constants are replaced, comments left out.
#pragma once

#include <string>
#include <string_view>

namespace agentsh::sql {

// Strings and numbers as "?", one blank between words. Equal for statements that differ in their
// constants, comments and white space only.
std::string without_constants(std::string_view sql);

// "sha256:" and 64 hexadecimal digits.
std::string digest_of(std::string_view text);

}  // namespace agentsh::sql
