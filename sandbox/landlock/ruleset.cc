#include "sandbox/landlock/ruleset.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace agentsh::sandbox {
namespace {

// Rights and structures newer than Debian 12's kernel headers (6.1).
constexpr std::uint64_t kTruncate = 1ull << 14;                // ABI 3
constexpr std::uint64_t kIoctlDevice = 1ull << 15;             // ABI 5
constexpr std::uint64_t kScopeAbstractUnixSocket = 1ull << 0;  // ABI 6
constexpr std::uint64_t kScopeSignal = 1ull << 1;
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kReadExecuteRights = kRead | LANDLOCK_ACCESS_FS_EXECUTE;
constexpr std::uint64_t kChange = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                  LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
                                  LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr std::uint64_t kDeviceNodes = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
// The rights that make sense on a file that is not a directory; the kernel refuses others there.
constexpr std::uint64_t kFileRights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_READ_FILE | kTruncate | kIoctlDevice;

std::uint64_t handled_by(int abi) {
  std::uint64_t rights = kReadExecuteRights | kChange | kDeviceNodes | kIoctlDevice;
  if (abi < 5) rights &= ~kIoctlDevice;
  if (abi < 3) rights &= ~kTruncate;
  if (abi < 2) rights &= ~std::uint64_t{LANDLOCK_ACCESS_FS_REFER};
  return rights;
}

std::uint64_t bits(LandlockRuleset::Rights rights) {
  switch (rights) {
    case LandlockRuleset::Rights::kReadExecute:
      return kReadExecuteRights;
    case LandlockRuleset::Rights::kReadWrite:
      return kReadExecuteRights | kChange;
    case LandlockRuleset::Rights::kDevice:
      return kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDevice;
  }
  return 0;
}

}  // namespace

int LandlockRuleset::abi() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

Result<LandlockRuleset> LandlockRuleset::create(int abi) {
  RulesetAttributes attributes{handled_by(abi), 0, 0};
  std::size_t size = sizeof attributes.handled_access_fs;
  if (abi >= 4) size += sizeof attributes.handled_access_net;
  if (abi >= 6) {
    attributes.scoped = kScopeAbstractUnixSocket | kScopeSignal;
    size += sizeof attributes.scoped;
  }
  UniqueFd fd(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!fd) return std::unexpected(errno_error("landlock_create_ruleset"));
  return LandlockRuleset(std::move(fd), abi);
}

Result<> LandlockRuleset::allow(const std::string& path, Rights rights, int flags) {
  UniqueFd parent(::open(path.c_str(), O_PATH | O_CLOEXEC | flags));
  if (!parent) return std::unexpected(errno_error("open", path));
  struct stat status;
  if (::fstat(parent.get(), &status) != 0) return std::unexpected(errno_error("stat", path));
  if (S_ISLNK(status.st_mode)) return {};
  std::uint64_t allowed = bits(rights) & handled_by(abi_);
  if (!S_ISDIR(status.st_mode)) allowed &= kFileRights;
  landlock_path_beneath_attr rule{allowed, parent.get()};
  if (::syscall(SYS_landlock_add_rule, fd_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return std::unexpected(errno_error("landlock_add_rule", path));
  }
  return {};
}

Result<> LandlockRuleset::restrict_self() {
  if (::syscall(SYS_landlock_restrict_self, fd_.get(), 0) != 0) {
    return std::unexpected(errno_error("landlock_restrict_self"));
  }
  return {};
}

}  // namespace agentsh::sandbox
