// agentsh-init: process 1 of a session. Builds the session it was told to (session_spec.h), gives
// up every privilege, then starts and reaps commands until the daemon closes the control socket.
// Small, single-threaded, linked statically: it is in memory before the session's own view of the
// filesystem exists, and holds nothing of the daemon's.
#include "base/fd_passing.h"
#include "base/file_io.h"
#include "sandbox/process/init/commands.h"
#include "sandbox/process/init/descendants.h"
#include "sandbox/process/init/filesystem.h"
#include "sandbox/process/init/guardian.h"
#include "sandbox/process/init/identity.h"
#include "sandbox/process/init/landlock.h"
#include "sandbox/process/init/network.h"
#include "sandbox/process/init/private_directory.h"
#include "sandbox/process/init_protocol.h"
#include "sandbox/process/session_spec.h"
#include "sandbox/seccomp/filter.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace agentsh::sandbox {
namespace {

Result<SessionSpec> read_spec() {
  UniqueFd memory(kInitSpecFd);
  auto data = read_all(memory.get(), 64 << 20, "session specification");
  if (!data) return std::unexpected(data.error());
  return from_wire<SessionSpec>(*data);
}

// Opens the network, tells the daemon, and closes it in by what the daemon answers.
Result<> build_network(const SessionSpec& spec) {
  auto sockets =
      spec.own_namespaces ? open_session_sockets() : Result<std::vector<UniqueFd>>(std::in_place);
  if (!sockets) return std::unexpected(sockets.error());
  std::vector<int> fds;
  for (const UniqueFd& socket : *sockets) fds.push_back(socket.get());
  if (auto sent = send_packet(kInitControlFd, MessageKind::kNetworkReady, {}, fds); !sent)
    return sent;
  auto packet = receive_packet(kInitControlFd);
  if (!packet) return std::unexpected(packet.error());
  auto proceed = packet->as<Proceed>();
  if (!proceed || packet->kind != MessageKind::kProceed)
    return fail("unexpected message instead of Proceed");
  return proceed->nft_batch.empty() ? Result<>() : apply_firewall(proceed->nft_batch);
}

Result<> apply_limits(const SessionSpec& spec) {
  for (const ResourceLimit& limit : spec.limits) {
    const rlimit value{limit.soft, limit.hard};
    if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) != 0) {
      return std::unexpected(errno_error("setrlimit", std::to_string(limit.resource)));
    }
  }
  return {};
}

// What the daemon hears when the session stands.
struct Built {
  Ready ready;
  UniqueFd notifications;  // Of a session without namespaces.
};

Result<Built> build_session(const SessionSpec& spec) {
  // Whatever we were told: in namespaces that are not ours nothing may be mounted or set up.
  if (spec.own_namespaces != (::getpid() == 1))
    return fail("agentsh-init and agentshd do not fit together: install both anew");
  if (auto done = build_network(spec); !done)
    return std::unexpected(with_context(done.error(), "network"));
  if (spec.own_namespaces) {
    if (auto done = build_filesystem(spec); !done)
      return std::unexpected(with_context(done.error(), "filesystem"));
  }
  if (auto done = apply_limits(spec); !done) return std::unexpected(done.error());
  if (auto done = drop_privileges(spec); !done)
    return std::unexpected(with_context(done.error(), "privileges"));
  if (!spec.own_namespaces) {
    if (auto done = go_under_guardian(); !done) return std::unexpected(done.error());
    if (auto done = make_private_directory(spec); !done) return std::unexpected(done.error());
  }
  // After the mounts, because a ruleset freezes the mount tree, and after the user switch, so that
  // opening the trees does not use more than the user's own rights.
  auto abi = apply_landlock(spec);
  if (!abi) return std::unexpected(with_context(abi.error(), "landlock"));
  Built built;
  built.ready.landlock_abi = *abi;
  for (const std::string& program : spec.seccomp_programs) {
    if (auto done = install_seccomp_program(program); !done) return std::unexpected(done.error());
  }
  if (!spec.own_namespaces) {
    auto listener = install_seccomp_notifier(spec.notifier_program);
    if (!listener) return std::unexpected(listener.error());
    built.notifications = std::move(*listener);
  }
  return built;
}

void start_command(Commands& commands, Packet packet) {
  auto request = packet.as<Spawn>();
  if (!request)
    return;  // The daemon is the only one that writes here; it would be a bug on its side.
  auto started = commands.start(*request, std::move(packet.fds));
  if (!started) {
    [[maybe_unused]] auto ignored =
        send_message(kInitControlFd, MessageKind::kSpawnFailed, started.error());
    return;
  }
  std::vector<int> fds;
  if (started->terminal) fds.push_back(started->terminal.get());
  [[maybe_unused]] auto ignored =
      send_message(kInitControlFd, MessageKind::kSpawned, Spawned{request->id}, fds);
}

// Loopback answers at once, so connecting does not keep commands waiting.
void open_loopback(const Packet& packet) {
  auto request = packet.as<OpenLoopback>();
  if (!request) return;
  auto socket = connect_loopback(request->port);
  Loopback answer{request->id, socket ? 0 : socket.error().code.value()};
  std::vector<int> fds;
  if (socket) fds.push_back(socket->get());
  [[maybe_unused]] auto ignored = send_message(kInitControlFd, MessageKind::kLoopback, answer, fds);
}

// Until the control socket closes. Errors in sending need no handling: the next receive fails and
// ends the session.
void serve() {
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  UniqueFd signals(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  Commands commands;
  for (;;) {
    pollfd entries[2] = {{kInitControlFd, POLLIN, 0}, {signals.get(), POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0 && errno != EINTR) return;
    if (entries[1].revents != 0) {
      signalfd_siginfo info;
      while (::read(signals.get(), &info, sizeof info) > 0) {
      }
      commands.reap([](const Exited& exited) {
        [[maybe_unused]] auto ignored = send_message(kInitControlFd, MessageKind::kExited, exited);
      });
    }
    if (entries[0].revents == 0) continue;
    auto packet = receive_packet(kInitControlFd);
    if (!packet) return;
    if (packet->kind == MessageKind::kSpawn) {
      start_command(commands, std::move(*packet));
    } else if (packet->kind == MessageKind::kSignal) {
      if (auto request = packet->as<SignalCommand>()) commands.signal(*request);
    } else if (packet->kind == MessageKind::kOpenLoopback) {
      open_loopback(*packet);
    }
  }
}

int run() {
  // The daemon may be gone already: PDEATHSIG only fires for a death that is still to come.
  ::fcntl(kInitControlFd, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_NAME, "agentsh-init", 0, 0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);
  auto spec = read_spec();
  auto built = spec ? build_session(*spec) : Result<Built>(std::unexpected(spec.error()));
  if (!built) {
    [[maybe_unused]] auto ignored =
        send_message(kInitControlFd, MessageKind::kSetupFailed, SetupFailed{built.error().what});
    return 1;
  }
  std::vector<int> fds;
  if (built->notifications) fds.push_back(built->notifications.get());
  if (!send_message(kInitControlFd, MessageKind::kReady, built->ready, fds)) return 1;
  // The daemon alone answers: with it gone, what waits fails.
  built->notifications.reset();
  serve();
  // A PID namespace ends with its first process. Without one we end what is left, as our guardian
  // does.
  if (!spec->own_namespaces) end_descendants();
  return 0;
}

}  // namespace
}  // namespace agentsh::sandbox

int main() {
  return agentsh::sandbox::run();
}
