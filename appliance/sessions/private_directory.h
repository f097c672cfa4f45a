// The directory of a session that has no mounts of its own, where another has /tmp: TMPDIR and the
// certificates that it trusts. Made by the session's init; removed here, as its user, when it ends.
#pragma once

#include "appliance/sessions/user_identity.h"

#include <string>
#include <utility>
#include <vector>

namespace agentsh {

class PrivateDirectory {
 public:
  // Chooses a path that nobody can guess; makes nothing.
  explicit PrivateDirectory(UserIdentity user);
  PrivateDirectory(PrivateDirectory&& other) noexcept;
  PrivateDirectory& operator=(PrivateDirectory&& other) noexcept;
  ~PrivateDirectory();

  const std::string& path() const { return path_; }
  std::string bundle() const { return path_ + "/trusted-certificates.pem"; }
  std::string authority() const { return path_ + "/authority.pem"; }

 private:
  UserIdentity user_;
  std::string path_;  // Empty: moved away.
};

}  // namespace agentsh
