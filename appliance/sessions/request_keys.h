// The keys that the body of a request may have and what each holds. A key of another type is as
// wrong as an unknown one: to take `"policy": 5` for no policy would start a session under another.
#pragma once

#include "base/json_reader.h"
#include "base/result.h"

#include <span>
#include <string_view>

namespace agentsh {

struct RequestKey {
  enum class Type { kText, kBytes, kFlag, kNumber, kArray, kObject };
  std::string_view name;
  Type type = Type::kText;
};

// Null is the same as absent. Texts (not bytes) with NUL are refused: the kernel would cut them
// there, and do something else than was judged.
Result<> check_request_keys(JsonValue body, std::span<const RequestKey> keys);

}  // namespace agentsh
