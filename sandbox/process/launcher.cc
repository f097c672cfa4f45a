#include "sandbox/process/launcher.h"

#include "base/fd_passing.h"
#include "base/file_io.h"
#include "base/log.h"
#include "sandbox/process/terminal.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace agentsh::sandbox {
namespace {

// A session takes 3 ms; one that takes this long is stuck (an unresponsive network filesystem, most
// likely).
constexpr timeval kSetupTimeout{20, 0};

constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

struct ChildPlan {
  const char* program;
  int control;
  int spec;
  int null;
  bool own_user_namespace;
  std::array<char, 64> uid_map;
  std::array<char, 64> gid_map;
};

void write_map(const char* path, const char* content) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, content, std::strlen(content)) < 0) ::_exit(101);
  ::close(fd);
}

// exec of a program by a user that is not root clears the capabilities of the new user namespace,
// unless they are ambient: init needs them until it has built the session.
void keep_capabilities_over_exec() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  if (::syscall(SYS_capget, &header, data) != 0) ::_exit(102);
  for (auto& part : data) part.inheritable = part.permitted;
  if (::syscall(SYS_capset, &header, data) != 0) ::_exit(102);
  for (unsigned long capability = 0; capability < 64; ++capability) {
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) return;
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  }
}

// Runs in the cloned child of a process with threads: system calls only, no allocation.
[[noreturn]] void become_init(const ChildPlan& plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (plan.own_user_namespace) {
    write_map("/proc/self/setgroups", "deny");
    write_map("/proc/self/uid_map", plan.uid_map.data());
    write_map("/proc/self/gid_map", plan.gid_map.data());
    keep_capabilities_over_exec();
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Above everything that dup2 is going to write to.
  const int control = ::fcntl(plan.control, F_DUPFD_CLOEXEC, 16);
  const int spec = ::fcntl(plan.spec, F_DUPFD_CLOEXEC, 16);
  if (control < 0 || spec < 0) ::_exit(103);
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(plan.null, fd) < 0) ::_exit(103);
  }
  if (::dup2(control, kInitControlFd) < 0 || ::dup2(spec, kInitSpecFd) < 0) ::_exit(103);
  if (::syscall(SYS_close_range, kInitSpecFd + 1, ~0u, 0) != 0) ::_exit(103);
  char name[] = "agentsh-init";
  char* argv[] = {name, nullptr};
  char* environment[] = {nullptr};
  ::execve(plan.program, argv, environment);
  ::_exit(104);
}

std::string explain_clone_failure(int error, bool own_user_namespace) {
  if (own_user_namespace && (error == EPERM || error == EACCES || error == ENOSPC)) {
    return "this host does not allow unprivileged user namespaces, which a session without root is "
           "made of; "
           "run the daemon as root, or allow them (sysctl kernel.unprivileged_userns_clone=1, "
           "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0), or accept "
           "sessions without namespaces (security.mode: landlock-only)";
  }
  if (error == EPERM) {
    return "this daemon runs as root, but may not make the namespaces that a session consists of "
           "(CAP_SYS_ADMIN is missing, or a seccomp filter of the container forbids it): allow "
           "that, run the daemon as an ordinary user, or accept sessions without namespaces "
           "(security.mode: landlock-only)";
  }
  return errno_error(error, "clone3").what;
}

Result<UniqueFd> spec_memory(SessionSpec& spec) {
  UniqueFd memory(::memfd_create("session", MFD_CLOEXEC));
  if (!memory) return std::unexpected(errno_error("memfd_create"));
  if (auto written = write_all(memory.get(), to_wire(spec), "session specification"); !written) {
    return std::unexpected(written.error());
  }
  if (::lseek(memory.get(), 0, SEEK_SET) != 0) return std::unexpected(errno_error("lseek"));
  return memory;
}

Result<std::pair<PidFd, pid_t>> clone_init(const SessionSpec& spec, const std::string& init_program,
                                           int control, int spec_fd) {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return std::unexpected(errno_error("open", "/dev/null"));
  ChildPlan plan{init_program.c_str(),    control, spec_fd, null.get(),
                 spec.own_user_namespace, {},      {}};
  std::snprintf(plan.uid_map.data(), plan.uid_map.size(), "%u %u 1", spec.uid, spec.uid);
  std::snprintf(plan.gid_map.data(), plan.gid_map.size(), "%u %u 1", spec.gid, spec.gid);

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD;
  if (spec.own_namespaces) arguments.flags |= kNamespaces;
  if (spec.own_user_namespace) arguments.flags |= CLONE_NEWUSER;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) {
    const int error = errno;
    return fail(explain_clone_failure(error, spec.own_user_namespace), std::errc(error));
  }
  if (pid == 0) become_init(plan);
  return std::pair(PidFd(UniqueFd(pidfd)), static_cast<pid_t>(pid));
}

Result<Packet> expect(int control, MessageKind kind) {
  auto packet = receive_packet(control);
  if (!packet) return std::unexpected(with_context(packet.error(), "session set-up"));
  if (packet->kind == MessageKind::kSetupFailed) {
    auto failed = packet->as<SetupFailed>();
    return fail("session set-up: " + (failed ? failed->what : failed.error().what));
  }
  if (packet->kind != kind)
    return fail("session set-up: unexpected message", std::errc::protocol_error);
  return packet;
}

Result<SessionSockets> take_sockets(Packet packet) {
  if (packet.fds.size() < 2)
    return fail("session set-up: sockets are missing", std::errc::protocol_error);
  SessionSockets sockets;
  sockets.socket_diagnostics = std::move(packet.fds.back());
  packet.fds.pop_back();
  // Listeners come in threes (netns::listener_descriptors()).
  if (packet.fds.size() % 3 == 1) {
    sockets.refusal_log = std::move(packet.fds.back());
    packet.fds.pop_back();
  }
  sockets.listeners = std::move(packet.fds);
  return sockets;
}

}  // namespace

Result<std::unique_ptr<SessionProcess>> SessionProcess::launch(
    SessionSpec& spec, const std::string& init_program, const PrepareNetwork& prepare_network,
    const Meanwhile& meanwhile) {
  auto sockets = unix_socket_pair(SOCK_STREAM);
  if (!sockets) return std::unexpected(sockets.error());
  // So that the process of each command tells its number by writing.
  const int on = 1;
  if (::setsockopt(sockets->first.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    return std::unexpected(errno_error("SO_PASSCRED"));
  auto memory = spec_memory(spec);
  if (!memory) return std::unexpected(memory.error());
  auto init = clone_init(spec, init_program, sockets->second.get(), memory->get());
  if (!init) return std::unexpected(init.error());
  sockets->second.reset();
  std::unique_ptr<SessionProcess> process(new SessionProcess(
      std::move(sockets->first), std::move(init->first), init->second, spec.own_namespaces));
  if (auto done = process->set_up(prepare_network, meanwhile); !done)
    return std::unexpected(done.error());
  return process;
}

Result<> SessionProcess::set_up(const PrepareNetwork& prepare_network, const Meanwhile& meanwhile) {
  if (::setsockopt(control_.get(), SOL_SOCKET, SO_RCVTIMEO, &kSetupTimeout, sizeof kSetupTimeout) !=
      0) {
    return std::unexpected(errno_error("SO_RCVTIMEO"));
  }
  auto network = expect(control_.get(), MessageKind::kNetworkReady);
  if (!network) return std::unexpected(network.error());
  auto sockets =
      own_namespaces_ ? take_sockets(std::move(*network)) : Result<SessionSockets>(std::in_place);
  if (!sockets) return std::unexpected(sockets.error());
  auto proceed = prepare_network(std::move(*sockets), init_pid_);
  if (!proceed) return std::unexpected(proceed.error());
  Result<> done;
  // Init forks then, and both have to be where its first process is put.
  if (meanwhile && !own_namespaces_) done = meanwhile(init_pid_);
  if (auto sent = send_message(control_.get(), MessageKind::kProceed, std::move(*proceed)); !sent)
    return sent;
  if (meanwhile && own_namespaces_) done = meanwhile(init_pid_);
  auto packet = expect(control_.get(), MessageKind::kReady);
  if (!packet) return std::unexpected(packet.error());  // The cause, where both failed.
  if (!done) return done;
  auto ready = packet->as<Ready>();
  if (!ready) return std::unexpected(ready.error());
  landlock_abi_ = ready->landlock_abi;
  if (!own_namespaces_) {
    if (packet->fds.empty())
      return fail("session set-up: no notifications", std::errc::protocol_error);
    notifications_ = std::move(packet->fds[0]);
  }
  return {};
}

SessionProcess::~SessionProcess() {
  kill();
  // The kernel ends init only after everything else in its PID namespace.
  if (init_.wait(5000)) return;
  log_error("sandbox", "session init {} does not end", init_pid_);
  if (own_namespaces_) return;
  [[maybe_unused]] auto gone = init_.signal(SIGKILL);
  init_.wait(1000);
}

void SessionProcess::kill() {
  if (!own_namespaces_) {
    // Its guardian ends everything first, because nobody else would.
    ::shutdown(control_.get(), SHUT_RDWR);
    return;
  }
  [[maybe_unused]] auto gone = init_.signal(SIGKILL);  // Fails only when it has ended.
}

void SessionProcess::abandon_commands() {
  for (auto& [id, command] : std::exchange(commands_, {})) {
    if (command.events.failed)
      command.events.failed(SpawnFailed{id, ECANCELED, "the session ended", false});
  }
  for (auto& [id, done] : std::exchange(loopbacks_, {})) done(fail("the session ended"));
}

Result<> SessionProcess::open_loopback(std::uint16_t port,
                                       std::function<void(Result<UniqueFd>)> done) {
  const std::uint64_t id = next_id_++;
  loopbacks_.emplace(id, std::move(done));
  auto sent = send_message(control_.get(), MessageKind::kOpenLoopback, OpenLoopback{id, port});
  if (!sent) loopbacks_.erase(id);
  return sent;
}

Result<> SessionProcess::handle_message() {
  auto packet = receive_packet(control_.get());
  if (!packet) return std::unexpected(packet.error());
  switch (packet->kind) {
    case MessageKind::kForked: {
      auto message = packet->as<Forked>();
      if (!message) return std::unexpected(message.error());
      auto found = commands_.find(message->id);
      if (found != commands_.end()) found->second.pid = packet->sender;
      return {};
    }
    case MessageKind::kSpawned: {
      auto message = packet->as<Spawned>();
      if (!message) return std::unexpected(message.error());
      auto found = commands_.find(message->id);
      if (found == commands_.end()) return {};
      Command& command = found->second;
      if (!packet->fds.empty()) command.terminal = std::move(packet->fds[0]);
      if (command.events.started) command.events.started(command.pid, std::move(command.terminal));
      return {};
    }
    case MessageKind::kSpawnFailed: {
      auto message = packet->as<SpawnFailed>();
      if (!message) return std::unexpected(message.error());
      auto node = commands_.extract(message->id);
      if (!node.empty() && node.mapped().events.failed) node.mapped().events.failed(*message);
      return {};
    }
    case MessageKind::kExited: {
      auto message = packet->as<Exited>();
      if (!message) return std::unexpected(message.error());
      auto node = commands_.extract(message->id);
      if (!node.empty() && node.mapped().events.exited) node.mapped().events.exited(*message);
      return {};
    }
    case MessageKind::kLoopback: {
      auto message = packet->as<Loopback>();
      if (!message) return std::unexpected(message.error());
      auto node = loopbacks_.extract(message->id);
      if (node.empty()) return {};
      node.mapped()(message->error != 0 || packet->fds.empty()
                        ? Result<UniqueFd>(
                              std::unexpected(errno_error(message->error, "connect", "127.0.0.1")))
                        : Result<UniqueFd>(std::move(packet->fds[0])));
      return {};
    }
    default:
      return fail("unexpected message from a session's init", std::errc::protocol_error);
  }
}

Result<std::uint64_t> SessionProcess::spawn(Spawn request, std::span<const int> fds,
                                            CommandEvents events) {
  request.id = next_id_++;
  const std::uint64_t id = request.id;
  std::vector<int> sent_fds(fds.begin(), fds.end());
  Command command{std::move(events)};
  Terminal terminal;
  if (request.terminal_fds != 0 && !own_namespaces_) {
    // Among the host's terminals Landlock would not tell its own from the user's others.
    auto opened = open_terminal("/dev/ptmx", request.rows, request.columns);
    if (!opened) return std::unexpected(opened.error());
    terminal = std::move(*opened);
    command.terminal = std::move(terminal.master);
    sent_fds.push_back(terminal.slave.get());
  }
  commands_.emplace(id, std::move(command));
  if (auto sent = send_message(control_.get(), MessageKind::kSpawn, std::move(request), sent_fds);
      !sent) {
    commands_.erase(id);
    // Nothing was sent, or nobody knows how much: then init would wait for the rest for ever.
    if (sent.error().code != std::errc::argument_list_too_long) kill();
    return std::unexpected(sent.error());
  }
  return id;
}

void SessionProcess::signal(std::uint64_t id, int signal, bool whole_group) {
  // A session that is gone has nothing left to signal.
  [[maybe_unused]] auto ignored =
      send_message(control_.get(), MessageKind::kSignal, SignalCommand{id, signal, whole_group});
}

}  // namespace agentsh::sandbox
