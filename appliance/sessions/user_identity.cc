#include "appliance/sessions/user_identity.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace agentsh {
namespace {

constexpr int kMaxGroups = 65536;  // NGROUPS_MAX

UserIdentity from_entry(const passwd& entry) {
  UserIdentity identity{entry.pw_uid, entry.pw_gid, {}, entry.pw_name, entry.pw_dir};
  int count = 64;
  for (;;) {
    identity.groups.resize(static_cast<std::size_t>(count));
    const int asked = count;
    if (::getgrouplist(entry.pw_name, entry.pw_gid, identity.groups.data(), &count) >= 0) break;
    if (count <= asked) count = asked * 2;
    if (count > kMaxGroups) {
      count = 0;
      break;
    }
  }
  identity.groups.resize(static_cast<std::size_t>(count));
  return identity;
}

}  // namespace

UserIdentity identity_of(uid_t uid, gid_t gid_without_entry) {
  passwd entry;
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    return from_entry(entry);
  }
  return UserIdentity{uid, gid_without_entry, {}, {}, "/"};
}

Result<UserIdentity> identity_of(const std::string& name) {
  passwd entry;
  passwd* found = nullptr;
  std::vector<char> buffer(16384);
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return fail("no such user: " + name, std::errc::no_such_file_or_directory);
  }
  return from_entry(entry);
}

}  // namespace agentsh
