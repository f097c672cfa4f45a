#include "sandbox/process/init/landlock.h"

#include "sandbox/landlock/ruleset.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>

namespace agentsh::sandbox {
namespace {

using Rights = LandlockRuleset::Rights;

// What may be written in every session with mounts of its own, beside the specification's trees.
// All of it is the session's own.
constexpr const char* kOwnWritable[] = {"/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run"};

// Without mounts the host's are in view: these devices may be used, and of the rest of /dev and of
// what shows the kernel from inside nothing may be read (a file's owner needs no capability). Not
// /dev/pts: the user's other terminals are there.
constexpr const char* kDevices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                    "/dev/random", "/dev/urandom", "/dev/tty"};
constexpr std::string_view kHostsOwn[] = {"/dev", "/sys/kernel/debug", "/sys/kernel/tracing",
                                          "/sys/fs/bpf"};

bool beneath(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || directory == "/" || path[directory.size()] == '/');
}

Result<> allow_if_there(LandlockRuleset& ruleset, const std::string& path, Rights rights) {
  if (::access(path.c_str(), F_OK) != 0) return {};
  return ruleset.allow(path, rights);
}

// Landlock only adds rights, so a tree without something in it is the list of everything beside
// that.
Result<> allow_reading_except(LandlockRuleset& ruleset, const std::string& path,
                              std::span<const std::string> excluded) {
  const auto holds = [&](const std::string& other) { return beneath(other, path); };
  if (std::ranges::find(excluded, path) != excluded.end()) return {};
  struct stat status;
  // A link that led to what is excluded would bring it back: where it leads to is in the list
  // itself.
  if (::lstat(path.c_str(), &status) != 0 || S_ISLNK(status.st_mode)) return {};
  if (std::ranges::none_of(excluded, holds)) {
    // What the user cannot open gives nothing away.
    auto allowed = ruleset.allow(path, Rights::kReadExecute, O_NOFOLLOW);
    return allowed || allowed.error().code == std::errc::permission_denied ? Result<>() : allowed;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  if (directory == nullptr) return {};
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string inside = (path == "/" ? path : path + "/") + std::string(name);
    if (auto done = allow_reading_except(ruleset, inside, excluded); !done) return done;
  }
  return {};
}

Result<> allow_own_view(LandlockRuleset& ruleset) {
  if (auto done = allow_if_there(ruleset, "/", Rights::kReadExecute); !done) return done;
  if (auto done = allow_if_there(ruleset, "/dev", Rights::kDevice); !done) return done;
  for (const char* path : kOwnWritable) {
    if (auto done = allow_if_there(ruleset, path, Rights::kReadWrite); !done) return done;
  }
  return {};
}

Result<> allow_hosts_view(LandlockRuleset& ruleset, const SessionSpec& spec) {
  std::vector<std::string> excluded = spec.masked;
  excluded.insert(excluded.end(), std::begin(kHostsOwn), std::end(kHostsOwn));
  if (auto done = allow_reading_except(ruleset, "/", excluded); !done) return done;
  for (const char* path : kDevices) {
    if (auto done = allow_if_there(ruleset, path, Rights::kDevice); !done) return done;
  }
  return allow_if_there(ruleset, spec.private_directory, Rights::kReadWrite);
}

}  // namespace

Result<int> apply_landlock(const SessionSpec& spec) {
  const int abi = LandlockRuleset::abi();
  if (abi == 0) {
    if (!spec.require_landlock) return 0;
    return fail(
        "the kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=...,landlock), which the "
        "policy's floor rests on");
  }
  auto ruleset = LandlockRuleset::create(abi);
  if (!ruleset) return std::unexpected(ruleset.error());
  auto view = spec.own_namespaces ? allow_own_view(*ruleset) : allow_hosts_view(*ruleset, spec);
  if (!view) return std::unexpected(view.error());
  for (const std::string& path : spec.writable) {
    if (auto done = allow_if_there(*ruleset, path, Rights::kReadWrite); !done)
      return std::unexpected(done.error());
  }
  if (auto done = ruleset->restrict_self(); !done) return std::unexpected(done.error());
  return abi;
}

}  // namespace agentsh::sandbox
