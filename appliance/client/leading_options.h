// Global options before the verb: `agentsh --server unix:/path session list`.
#pragma once

#include "base/result.h"

#include <span>
#include <string>

namespace agentsh::client {

// Takes the global options that stand before the verb off `arguments`. Each is put into its
// environment variable, which every verb reads as its default: so an option after the verb still
// wins. Fails on one that is none of ours, or has no value.
Result<> take_leading_options(std::span<const std::string>& arguments);

}  // namespace agentsh::client
