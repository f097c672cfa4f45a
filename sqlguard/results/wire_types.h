// Types of PostgreSQL's values as far as masking needs to know them, by the fixed oids of
// pg_type.dat; and the text behind binary numbers.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <optional>
#include <string>

namespace agentsh::sql {

enum class TypeClass : std::uint8_t {
  kText,     // Its binary form is its text.
  kJson,     // The same, with a grammar.
  kJsonb,    // Binary: a version byte, then the text.
  kNumber,   // Integers, numeric, floats.
  kArray,    // Of element_type().
  kBytes,    // bytea.
  kUnknown,  // No oid, or one that is no built-in type: text where the format is text.
  kOther,
};

TypeClass class_of(std::uint32_t type);
// Of a built-in array type; 0 for others.
std::uint32_t element_type(std::uint32_t array);
// A binary number as decimal text; nothing for other types and wrong lengths.
std::optional<std::string> number_text(std::uint32_t type, Bytes value);

}  // namespace agentsh::sql
