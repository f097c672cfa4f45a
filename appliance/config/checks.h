// What one key alone cannot tell: values that contradict each other, and keys without effect.
#pragma once

#include "appliance/config/loaded_config.h"

#include <vector>

namespace agentsh::config {

// Brings values that depend on each other into one (sandbox.network.ebpf.* into intercept_mode) and
// appends an error or warning to `problems` for each contradiction, placed where the key was set.
void check_consistency(LoadedConfig& config, std::vector<policy::Diagnostic>& problems);

// Marks the keys that were set and have no effect, and appends one problem for each row of
// unenforced.h that they fall under: a warning, or an error under security.strict.
void check_enforced(LoadedConfig& config, std::vector<policy::Diagnostic>& problems);

}  // namespace agentsh::config
