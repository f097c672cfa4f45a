// Which command of a session a process belongs to.
//
// init starts each command as the leader of its own process session (setsid(2)), so the session id
// that the kernel shows in /proc is the command's first process, for its whole tree unless
// something in it calls setsid again; then the chain of parents is followed as long as it exists. A
// process that cut itself loose completely is the session's, of no command.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <shared_mutex>
#include <string>
#include <unordered_map>

namespace agentsh {

class CommandAttribution {
 public:
  void add(pid_t leader, std::string command_id);
  void remove(pid_t leader);

  // The command's id, or "" for a process of none, or one that is gone. `pid` is in the daemon's
  // PID namespace.
  std::string command_of(pid_t pid) const;

 private:
  struct Ended {
    std::string command_id;
    std::chrono::steady_clock::time_point forgotten;
  };

  std::string find(pid_t leader) const;

  mutable std::shared_mutex mutex_;
  std::unordered_map<pid_t, std::string> commands_;
  // The kernel's reports come a moment after the fact, when a short command is over already.
  std::unordered_map<pid_t, Ended> ended_;
};

}  // namespace agentsh
