// `agentsh config show` and `agentsh config validate`.
#pragma once

#include <span>
#include <string>

namespace agentsh::cli {

// `args` is what follows "config". Prints on standard output; returns the exit code: 0, or 1 when
// the configuration has errors or the arguments are wrong.
int run_config_verb(std::span<const std::string> args);

}  // namespace agentsh::cli
