// The commands of a session, started and reaped by its init.
//
// A command is forked with vfork semantics (the child borrows init's memory until exec), so
// starting one costs one clone and one exec whatever init's size, and a failing exec is known at
// once. Threads: init has one.
#pragma once

#include "base/result.h"
#include "sandbox/process/init_protocol.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

namespace agentsh::sandbox {

class Commands {
 public:
  struct Started {
    UniqueFd terminal;  // Master of the PTY, when one was asked for.
  };

  // Starts `request` with `fds` as those of descriptors 0, 1, 2 that are not terminal_fds.
  std::expected<Started, SpawnFailed> start(const Spawn& request, std::vector<UniqueFd> fds);

  // Sends a signal; unknown ids (already gone) are ignored.
  void signal(const SignalCommand& request);

  // Reaps everything that ended, also processes that were re-parented to init; reports the commands
  // among them.
  void reap(const std::function<void(const Exited&)>& report);

 private:
  std::unordered_map<std::uint64_t, pid_t> pids_;
  std::unordered_map<pid_t, std::uint64_t> ids_;
};

}  // namespace agentsh::sandbox
