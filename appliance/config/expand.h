// ${NAME} and ${NAME:-otherwise} in the values whose keys allow it (paths, injected variables, the
// upstream proxy). "$$" is a dollar sign. The file as a whole is never expanded: a "$" in a regular
// expression or a password stays what it is.
#pragma once

#include "base/result.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::config {

// Nothing when the variable is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The environment of this process.
Environment process_environment();

// `text` with its variables replaced; as in a shell, ":-" also takes the place of an empty value.
// Fails for an unset variable without ":-", a malformed "${" and a "$NAME" without braces, each
// with a sentence that says how to write it.
Result<std::string> expand_variables(std::string_view text, const Environment& environment);

}  // namespace agentsh::config
