#include "appliance/sessions/request_keys.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

struct Expected {
  bool met = false;
  std::string_view what;
};

Expected expect(JsonValue value, RequestKey::Type type) {
  switch (type) {
    case RequestKey::Type::kText:
    case RequestKey::Type::kBytes:
      return {value.is_string(), "a string"};
    case RequestKey::Type::kFlag:
      return {value.is_bool(), "true or false"};
    case RequestKey::Type::kNumber:
      return {value.is_integer(), "a whole number"};
    case RequestKey::Type::kArray:
      return {value.is_array(), "an array"};
    case RequestKey::Type::kObject:
      return {value.is_object(), "an object"};
  }
  return {};
}

}  // namespace

Result<> check_request_keys(JsonValue body, std::span<const RequestKey> keys) {
  for (const auto& [name, node] : body.members()) {
    const auto known = std::ranges::find(keys, name, &RequestKey::name);
    if (known == keys.end()) return fail(fmt::format("unknown key \"{}\"", name));
    const JsonValue value(&node);
    if (value.is_null()) continue;
    const Expected expected = expect(value, known->type);
    if (!expected.met) return fail(fmt::format("{}: must be {}", name, expected.what));
    if (known->type == RequestKey::Type::kText &&
        value.as_text().find('\0') != std::string_view::npos) {
      return fail(fmt::format("{}: must not contain NUL bytes", name));
    }
  }
  return {};
}

}  // namespace agentsh
