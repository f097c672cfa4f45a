// What a session sees and may write, as the specification for its init: the workspace and the
// policy's trees, trust files, names, and masks over everything of ours and of other programs.
#pragma once

#include "appliance/sessions/user_identity.h"
#include "base/result.h"
#include "sandbox/process/session_spec.h"

#include <string>
#include <utility>
#include <vector>

namespace agentsh {

// A file or directory that the daemon prepared, bound over a path of the session.
struct TrustMount {
  std::string source;
  std::string target;
};

struct SessionView {
  std::string id;
  UserIdentity user;
  bool own_user_namespace = false;
  std::string workspace;
  bool virtual_workspace = false;  // At /workspace too.
  bool workspace_writable = true;
  std::vector<std::string> writable;      // Trees that the policy lets be written.
  std::vector<std::string> read_only;     // Trees and files inside writable ones.
  std::vector<std::string> masked;        // By the policy.
  std::vector<std::string> own_paths;     // The daemon's: state, sockets, configuration.
  std::vector<std::string> own_programs;  // agentsh, agentshd, agentsh-init.
  std::vector<TrustMount> trust;
  bool require_landlock = true;
  // Without namespaces of its own (sandbox/process/session_spec.h): what is not mounted is in
  // `private_files`, beneath `private_directory`.
  bool own_namespaces = true;
  std::string private_directory;
  std::vector<sandbox::ProvidedFile> private_files;
  std::string notifier_program;
  std::vector<std::string>
      seccomp_programs;  // sandbox/seccomp/filter.h; the same for all sessions.
};

// Where the session's resolver seems to be. Any address that is not the session's own would do: the
// redirect turns every query to the DNS service.
inline constexpr std::string_view kResolverAddress = "198.18.0.53";
inline constexpr std::string_view kVirtualWorkspace = "/workspace";

// Fails when the workspace cannot be one ("/", or a directory that holds the daemon's own state
// alone), and when something in it has to be hidden and the session has no mounts to hide it with.
Result<sandbox::SessionSpec> build_session_spec(const SessionView& view);

}  // namespace agentsh
