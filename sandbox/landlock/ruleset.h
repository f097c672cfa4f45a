// Landlock (landlock(7)): a kernel-enforced, inherited restriction of what a process and its
// descendants may open.
//
// Kernel: 5.13 for files (ABI 1), 5.19 for renames across directories (ABI 2), 6.2 for truncation
// (3), 6.7 for TCP (4, not used: the network is the namespace's), 6.10 for device ioctls (5), 6.12
// for signals and abstract sockets (6). Not covered by any of them: metadata (stat, chmod, utimes),
// connecting to a Unix socket by path, descriptors that are already open. Used by a session's init
// after its mounts stand, because a ruleset freezes the mount tree.
//
//   auto ruleset = LandlockRuleset::create();
//   ruleset->allow("/", LandlockRuleset::kReadExecute);
//   ruleset->restrict_self();
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <string>

namespace agentsh::sandbox {

class LandlockRuleset {
 public:
  // The highest ABI of this kernel, 0 when Landlock is missing or switched off.
  static int abi();

  // A ruleset that handles every filesystem right and scope of `abi`, and allows nothing yet.
  static Result<LandlockRuleset> create(int abi);

  enum class Rights {
    kReadExecute,  // Read files, list directories, execute.
    kReadWrite,    // The above and every change except device nodes.
    kDevice,       // Read, write and ioctl on what is there; nothing new.
  };
  // Grants `rights` beneath `path` (a directory or a file). With O_NOFOLLOW in `flags` a symbolic
  // link is not followed and gives nothing.
  Result<> allow(const std::string& path, Rights rights, int flags = 0);

  // Applies the ruleset to the calling thread; needs no_new_privs. For good.
  Result<> restrict_self();

 private:
  LandlockRuleset(UniqueFd fd, int abi) : fd_(std::move(fd)), abi_(abi) {}
  UniqueFd fd_;
  int abi_;
};

}  // namespace agentsh::sandbox
