// Where the appliance keeps its files when nothing says otherwise: one set for the machine's daemon
// (root), one per user. Client and daemon must agree on them without talking, so they depend on the
// user id and the XDG variables only, and this links into the thin client.
//
//   std::string socket = default_socket_path();
//
// Threads: any that do not change the environment. Errors: none; a variable that is not an absolute
// path is ignored, as the XDG base directory specification asks.
#pragma once

#include "base/result.h"

#include <sys/types.h>

#include <functional>
#include <string>

namespace agentsh {

struct DefaultPaths {
  std::string config_directory;   // config.yaml, policies/, api_keys.yaml
  std::string state_directory;    // What must survive a restart: audit trail, certificates.
  std::string runtime_directory;  // The socket. Gone after a reboot.
  std::string socket;             // <runtime_directory>/agentsh.sock
};

// For root: /etc/agentsh, /var/lib/agentsh, /run/agentsh. For anybody else: agentsh below
// XDG_CONFIG_HOME (~/.config), XDG_STATE_HOME (~/.local/state) and XDG_RUNTIME_DIR; without a
// runtime directory, /tmp/agentsh-<uid>, which make_private_directory() must have made.
DefaultPaths default_paths();

// The same for any user and environment. `variable` gives a variable's value, "" when it is not
// set; `home` is the directory to use when HOME says nothing.
DefaultPaths default_paths(uid_t uid, const std::function<std::string(const char*)>& variable,
                           const std::string& home);

// default_paths().socket
std::string default_socket_path();

// A symbolic link beside the socket to the log of the daemon that serves there, so that a client
// which finds it dying can say where to look. Missing where the daemon writes to standard error.
std::string log_link_path(const std::string& socket);

// mkdir `path` (mode 0700) or accepts the one that is there if it is a directory of `owner` that
// nobody else can enter. A name under /tmp may have been taken by somebody else: then this fails,
// and neither client nor daemon may use the path.
Result<> make_private_directory(const std::string& path, uid_t owner);

}  // namespace agentsh
