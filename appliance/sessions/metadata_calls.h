// chmod(2), utimensat(2) and their like of a session without mounts, done by the daemon.
//
// Landlock does not judge them, and the session's user owns much that lies outside of the session.
// So each waits here (sandbox/seccomp/notifications.h): the file is opened once, and changed only
// where it lies beneath a tree that the session may write. Nothing gets a set-user-ID bit.
//
// Threads: perform() from any.
#pragma once

#include "appliance/sessions/user_identity.h"
#include "sandbox/seccomp/notifications.h"

#include <string>
#include <vector>

namespace agentsh {

class MetadataCalls {
 public:
  // `writable`: absolute paths of what may be changed.
  MetadataCalls(UserIdentity user, std::vector<std::string> writable);

  static bool handles(int number);
  // Does the call with the user's rights. Returns its errno, or 0.
  int perform(const sandbox::Call& call) const;

 private:
  int change_mode(const UniqueFd& file, std::uint64_t mode) const;
  int change_times(const sandbox::Call& call, const UniqueFd& file, std::uint64_t times) const;
  // 0 where the session may change it.
  int judge(const UniqueFd& file) const;

  UserIdentity user_;
  std::vector<std::string> writable_;
};

}  // namespace agentsh
