// A user's own rights for what this thread does with the filesystem, while it lives: capabilities
// that override file permissions go with the switch away from uid 0 (credentials(7), "fsuid").
#pragma once

#include "appliance/sessions/user_identity.h"

#include <sys/fsuid.h>
#include <unistd.h>

namespace agentsh {

class FilesystemIdentity {
 public:
  explicit FilesystemIdentity(const UserIdentity& user) {
    ::setfsgid(user.gid);
    ::setfsuid(user.uid);
  }
  FilesystemIdentity(const FilesystemIdentity&) = delete;
  FilesystemIdentity& operator=(const FilesystemIdentity&) = delete;
  ~FilesystemIdentity() {
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
  }
};

}  // namespace agentsh
