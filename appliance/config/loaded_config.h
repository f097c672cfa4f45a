// A configuration with the story of each value: where it was set, and whether it has effect.
//
// Immutable after loading.
#pragma once

#include "appliance/config/config.h"
#include "policies/diagnostic.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::config {

struct Unenforced;

struct Origin {
  enum class Kind { kDefault, kFile, kEnvironment, kFlag };
  Kind kind = Kind::kDefault;
  std::string name;              // The file, the variable or the flag.
  policy::SourcePosition where;  // In the file.

  // "default", "/etc/agentsh/config.yaml:12", "environment variable AGENTSH_LOG_LEVEL",
  // "flag --http-addr".
  std::string to_text() const;
};

// A key that was set, with or without a member in ServerConfig.
struct SetKey {
  std::string path;  // With indices and names of maps: "threat_feeds.feeds[0].url".
  Origin origin;
  std::string text;                        // The value as one writes it, "****" for a secret.
  std::string json;                        // The same as JSON.
  const Unenforced* unenforced = nullptr;  // Why it has no effect; null: it has.
};

struct LoadedConfig {
  ServerConfig values;
  std::string file;                          // Empty: none was found.
  bool from_working_directory = false;       // `file` is ./config.yml or ./config.yaml.
  std::vector<SetKey> set;                   // In the order of reading, the last one counts.
  std::vector<policy::Diagnostic> warnings;  // For the operator's log.

  // Where the key got its value.
  Origin origin(std::string_view path) const;
  // The last setting of the key; null when it has its default.
  const SetKey* find(std::string_view path) const;
};

}  // namespace agentsh::config
