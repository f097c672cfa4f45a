// Finding, reading and checking the configuration.
//
//   auto loaded = load_config(LoadRequest::of_this_process());
//   if (!loaded) { ... loaded.error().what has every problem, one a line ... }
//   for (const policy::Diagnostic& warning : loaded->warnings) log it;
//   use(loaded->values);
//
// Where it is looked for, the first that exists: --config; AGENTSH_CONFIG; ./config.yml and
// ./config.yaml; ~/.config/agentsh/config.yaml (not for root); /etc/agentsh/config.yaml. None is
// fine: every key has a default. Then environment variables, then flags, count more than the file.
//
// Trust: a file is read only if it is trusted_file.h's business to trust it. In the working
// directory another one is passed over with a warning, elsewhere it is an error. Only a server that
// a person started looks into the working directory: otherwise a repository that one has cloned
// could configure the daemon that is to confine it.
//
// Errors: never a half-read configuration. Threads: any.
#pragma once

#include "appliance/config/expand.h"
#include "appliance/config/loaded_config.h"
#include "appliance/config/paths.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::config {

// A flag of the command line that sets a key.
struct Override {
  std::string path;
  std::string value;
  std::string flag;  // "--http-addr"
};

struct LoadRequest {
  std::string file;               // --config; empty: look for it.
  std::string working_directory;  // Empty: do not look there.
  uid_t uid = 0;
  Environment environment;
  DefaultPaths paths;
  std::string machine_file = "/etc/agentsh/config.yaml";  // The last place to look.
  std::vector<Override> flags;

  // For this process's user, environment and working directory.
  static LoadRequest of_this_process();
};

// Everything that is known after trying: `config` only when there was no error.
struct LoadReport {
  std::string file;  // Empty: none was found.
  std::optional<LoadedConfig> config;
  std::vector<policy::Diagnostic> problems;  // Warnings too.
};

LoadReport try_load_config(const LoadRequest& request);

// The same as a Result: the error holds every problem, one a line.
Result<LoadedConfig> load_config(const LoadRequest& request);

// The configuration that `text` is, without looking for files; `file` is what messages call it, and
// relative paths are below its directory. The environment and flags of the request apply.
LoadReport parse_config(std::string_view text, const std::string& file, const LoadRequest& request);

// What holds when nothing is set.
ServerConfig default_config(const DefaultPaths& paths, uid_t uid);

}  // namespace agentsh::config
