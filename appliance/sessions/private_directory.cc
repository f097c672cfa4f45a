#include "appliance/sessions/private_directory.h"

#include "appliance/sessions/filesystem_identity.h"
#include "base/log.h"
#include "base/random.h"

#include <filesystem>

namespace agentsh {

PrivateDirectory::PrivateDirectory(UserIdentity user)
    : user_(std::move(user)), path_("/tmp/agentsh-" + random_name(20)) {}

PrivateDirectory::PrivateDirectory(PrivateDirectory&& other) noexcept
    : user_(std::move(other.user_)), path_(std::exchange(other.path_, {})) {}

PrivateDirectory& PrivateDirectory::operator=(PrivateDirectory&& other) noexcept {
  std::swap(user_, other.user_);
  std::swap(path_, other.path_);
  return *this;
}

PrivateDirectory::~PrivateDirectory() {
  if (path_.empty()) return;
  FilesystemIdentity identity(user_);
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (error) log_warning("session", "remove {}: {}", path_, error.message());
}

}  // namespace agentsh
