// Reads the YAML of a policy into the model, strictly: every unknown or duplicate key, wrong word,
// range, regular expression, glob, network, duration or signal is an error with its place and a
// suggestion, and all of them are reported together.
//
//   Diagnostics problems(path);
//   std::optional<Policy> policy = load_policy(text, problems);
//   if (!policy) ... problems.to_error()
//
// Warnings (a second document, say) may be there beside a policy. Threads: any; no shared state.
#pragma once

#include "policies/diagnostic.h"
#include "policies/model.h"

#include <optional>
#include <string_view>

namespace agentsh::policy {

// Nothing when there is any error. `problems.file()` becomes Policy::file.
std::optional<Policy> load_policy(std::string_view yaml, Diagnostics& problems);

}  // namespace agentsh::policy
