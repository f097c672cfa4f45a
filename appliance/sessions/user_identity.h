// The user on whose behalf a session runs, from the password and group databases (getpwuid(3),
// getgrouplist(3)).
#pragma once

#include "base/result.h"

#include <sys/types.h>

#include <string>
#include <vector>

namespace agentsh {

struct UserIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // Supplementary ones.
  std::string name;           // Empty when the database has none.
  std::string home;
};

// A uid without an entry gets the gid given, no groups, and "/" as home.
UserIdentity identity_of(uid_t uid, gid_t gid_without_entry);

// By name, for sessions.default_user. Fails when there is none.
Result<UserIdentity> identity_of(const std::string& name);

}  // namespace agentsh
