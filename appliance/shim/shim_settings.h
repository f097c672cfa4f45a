// /etc/agentsh/shim.conf: lines of key=value, # begins a comment.
//
//   session=NAME   the session of shells whose environment names none ($AGENTSH_SESSION_ID); made
//                  where the first of them starts. Without it such a shell gets one of its own,
//                  which ends with it.
//   force=true     (the default) every shell runs in a session.
//   force=false    one whose standard input is no terminal does not.
//
// Anything else is an error: a shell whose settings are not understood does not start.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace agentsh::shim {

inline constexpr const char* kSettingsFile = "/etc/agentsh/shim.conf";

struct ShimSettings {
  bool force = true;
  std::string session;
};

// `file` is for messages.
Result<ShimSettings> parse_settings(std::string_view text, std::string_view file);

// The defaults where there is no file.
Result<ShimSettings> load_settings(const std::string& file);

}  // namespace agentsh::shim
