#include "appliance/config/expand.h"

#include <fmt/format.h>

#include <cstdlib>

namespace agentsh::config {
namespace {

bool is_name_start(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool is_name(char c) {
  return is_name_start(c) || (c >= '0' && c <= '9');
}

// The variable name at the beginning of `text`; empty when there is none.
std::string_view leading_name(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && (length == 0 ? is_name_start(text[0]) : is_name(text[length]))) {
    ++length;
  }
  return text.substr(0, length);
}

// What stands between "${" and "}".
Result<std::string> replacement(std::string_view inside, const Environment& environment) {
  const std::string_view name = leading_name(inside);
  const std::string_view rest = inside.substr(name.size());
  if (name.empty() || (!rest.empty() && !rest.starts_with(":-"))) {
    return fail(
        fmt::format("\"${{{}}}\" is not a variable: write ${{NAME}} or "
                    "${{NAME:-otherwise}}, and $$ for a dollar sign",
                    inside));
  }
  auto value = environment(std::string(name));
  if (rest.empty()) {
    if (value) return *value;
    return fail(
        fmt::format("the environment variable {0} is not set: set it, or write "
                    "${{{0}:-otherwise}}",
                    name));
  }
  return value && !value->empty() ? *value : std::string(rest.substr(2));
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<std::string> expand_variables(std::string_view text, const Environment& environment) {
  std::string result;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    result += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      result += '$';
      text.remove_prefix(1);
    } else if (text.starts_with('{')) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) return fail("\"${\" without \"}\"");
      auto value = replacement(text.substr(1, end - 1), environment);
      if (!value) return value;
      result += *value;
      text.remove_prefix(end + 1);
    } else if (const std::string_view name = leading_name(text); !name.empty()) {
      return fail(
          fmt::format("\"${0}\" is not replaced: write ${{{0}}} for the variable or "
                      "$${0} for the text",
                      name));
    } else {
      result += '$';
    }
  }
  return result;
}

}  // namespace agentsh::config
