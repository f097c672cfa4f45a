// The configuration as text: what holds and why, a sample file, a part of the manual page. All are
// made from the table of keys (schema.h). Secrets are masked.
//
// Threads: any.
#pragma once

#include "appliance/config/loaded_config.h"

#include <string>
#include <string_view>

namespace agentsh::config {

// One line a key: KEY, VALUE, DEFAULT, ORIGIN. Only keys that are `block` or below it; "" for all.
// Keys that were set without having effect are marked.
std::string show_table(const LoadedConfig& config, const ServerConfig& defaults,
                       std::string_view block);

// {"file", "keys": [{"key", "value", "default", "origin": {"kind", "name"?, "line"?, "column"?},
// "enforced", "type", "description", "environment"?}]}
std::string show_json(const LoadedConfig& config, const ServerConfig& defaults,
                      std::string_view block);

// A configuration file that says nothing new: every key with its default, commented out, below a
// comment that explains it. It loads as it is, and with the '#' of the keys taken away.
std::string sample_config(const ServerConfig& defaults);

// The keys as entries of a man(7) page, without title and sections.
std::string manual_entries(const ServerConfig& defaults);

}  // namespace agentsh::config
