// The daemon's side of a session's processes: starts the session's init, tells it what to build,
// then starts, signals and hears of commands.
//
//   auto process = SessionProcess::launch(spec, init_program, prepare_network);
//   process->spawn(request, fds, {on_started, on_failed, on_exited});
//   ... when control_fd() is readable: process->handle_messages();
//
// Lifetime: destroying it kills the session's init, and the kernel everything in its PID namespace.
// Threads: launch() must run on a thread that lives as long as the daemon, because the kernel kills
// init when that thread ends (PR_SET_PDEATHSIG). Everything else on one thread, the owner's.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/process/init_protocol.h"
#include "sandbox/process/pid_fd.h"
#include "sandbox/process/session_spec.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace agentsh::sandbox {

// What init opened inside the session's network namespace; nothing where it has none.
struct SessionSockets {
  std::vector<UniqueFd> listeners;  // In the order of base/netns/session_network.h.
  UniqueFd socket_diagnostics;      // NETLINK_SOCK_DIAG (sock_diag(7)).
  UniqueFd refusal_log;             // netns::open_refusal_log(); empty where the kernel has none.
};

class SessionProcess {
 public:
  // Called once the session's network stands and before it is closed in: attaches the redirect, or
  // returns the nftables batch that init shall apply. Init has run nothing of the session's yet.
  using PrepareNetwork = std::function<Result<Proceed>(SessionSockets sockets, pid_t init)>;
  // Called next, while init builds the rest: puts it into its cgroup. The sockets that it has
  // opened stay outside of the group, whose programs would otherwise judge the daemon's own
  // answers.
  using Meanwhile = std::function<Result<>(pid_t init)>;

  struct CommandEvents {
    // `pid` is in the daemon's namespace; it may have ended. `terminal` is the PTY's master,
    // if one was asked for.
    std::function<void(pid_t pid, UniqueFd terminal)> started;
    std::function<void(const SpawnFailed&)> failed;
    std::function<void(const Exited&)> exited;
  };

  static Result<std::unique_ptr<SessionProcess>> launch(SessionSpec& spec,
                                                        const std::string& init_program,
                                                        const PrepareNetwork& prepare_network,
                                                        const Meanwhile& meanwhile = {});
  ~SessionProcess();

  // Readable when handle_messages() has something to do.
  int control_fd() const { return control_.get(); }
  // Takes one message and runs its callback. Fails when init is gone: the session is over.
  Result<> handle_message();

  // Starts a command; the callbacks run from handle_message(). Returns its id.
  Result<std::uint64_t> spawn(Spawn request, std::span<const int> fds, CommandEvents events);
  void signal(std::uint64_t id, int signal, bool whole_group);

  // A connection to a port of the session's own 127.0.0.1; `done` runs from handle_message().
  Result<> open_loopback(std::uint16_t port, std::function<void(Result<UniqueFd>)> done);

  // Ends init, and with it everything: by SIGKILL where it has a PID namespace, else it is told to.
  void kill();
  // Tells every command that has not ended that it failed: after handle_message() has failed.
  void abandon_commands();

  pid_t init_pid() const { return init_pid_; }
  // Of a session without namespaces: where its connect(2) calls wait (seccomp/notifications.h).
  UniqueFd take_notifications() { return std::move(notifications_); }
  int landlock_abi() const { return landlock_abi_; }

 private:
  SessionProcess(UniqueFd control, PidFd init, pid_t init_pid, bool own_namespaces)
      : control_(std::move(control)),
        init_(std::move(init)),
        init_pid_(init_pid),
        own_namespaces_(own_namespaces) {}
  Result<> set_up(const PrepareNetwork& prepare_network, const Meanwhile& meanwhile);

  struct Command {
    CommandEvents events;
    pid_t pid = 0;      // Once it has been forked.
    UniqueFd terminal;  // Its PTY's master, until it has started.
  };

  UniqueFd control_;
  PidFd init_;
  pid_t init_pid_;
  bool own_namespaces_;
  UniqueFd notifications_;
  int landlock_abi_ = 0;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, Command> commands_;
  std::unordered_map<std::uint64_t, std::function<void(Result<UniqueFd>)>> loopbacks_;
};

}  // namespace agentsh::sandbox
