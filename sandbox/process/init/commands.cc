#include "sandbox/process/init/commands.h"

#include "sandbox/process/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace agentsh::sandbox {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

std::vector<std::string> candidates(const Spawn& request) {
  if (request.path.find('/') != std::string::npos) return {request.path};
  std::string_view path = kDefaultPath;
  for (const std::string& entry : request.environment) {
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  }
  std::vector<std::string> list;
  while (!path.empty()) {
    const std::size_t colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    list.push_back((directory.empty() ? std::string(".") : std::string(directory)) + "/" +
                   request.path);
    path.remove_prefix(colon == std::string_view::npos ? path.size() : colon + 1);
  }
  return list;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// How long a command waits for room in the daemon's socket.
constexpr int kTellLimitMs = 10'000;

enum class Stage : int { kNone, kTerminal, kDescriptors, kDirectory, kExec };

// What the child needs, prepared before the fork: between vfork and exec it only makes system
// calls.
struct ChildPlan {
  std::string_view forked;  // The packet that tells the daemon who runs the command.
  std::array<int, 3> fds{};
  int controlling_terminal = -1;
  const char* directory = nullptr;
  const char* fallback_directory = nullptr;  // Null: none.
  mode_t umask = 0;
  const std::vector<const char*>* programs = nullptr;
  char** argv = nullptr;
  char** environment = nullptr;
  char** shell_argv =
      nullptr;  // For a script without a shebang: { "/bin/sh", program, arguments ... }.
  // Written by the child, read by the parent after exec or exit.
  volatile Stage failed = Stage::kNone;
  volatile int error = 0;
};

int try_exec(ChildPlan& plan) {
  int kept = ENOENT;
  for (const char* program : *plan.programs) {
    ::execve(program, plan.argv, plan.environment);
    if (errno == ENOEXEC) {
      plan.shell_argv[1] = const_cast<char*>(program);
      ::execve(plan.shell_argv[0], plan.shell_argv, plan.environment);
    }
    // As execvp(3): go on after what only means "not here", but remember that something was found
    // and not allowed.
    if (errno == EACCES) kept = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
  }
  return kept;
}

// Small enough to be taken whole or not at all. The daemon is the only one that could miss it.
void tell_daemon(std::string_view packet) {
  for (;;) {
    const ssize_t sent = ::send(kInitControlFd, packet.data(), packet.size(), MSG_NOSIGNAL);
    if (sent >= 0 || (errno != EINTR && errno != EAGAIN)) return;
    pollfd room{kInitControlFd, POLLOUT, 0};
    if (errno == EAGAIN && ::poll(&room, 1, kTellLimitMs) == 0) return;
  }
}

[[noreturn]] void run_child(ChildPlan& plan) {
  tell_daemon(plan.forked);
  auto give_up = [&plan](Stage stage, int error) {
    plan.failed = stage;
    plan.error = error;
    ::_exit(127);
  };
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  if (plan.controlling_terminal >= 0 && ::ioctl(plan.controlling_terminal, TIOCSCTTY, 0) != 0) {
    give_up(Stage::kTerminal, errno);
  }
  for (int target = 0; target < 3; ++target) {
    // The sources are all above 2 (init keeps 0 to 2 on /dev/null), so no dup2 overwrites one that
    // is still needed.
    if (::dup2(plan.fds[static_cast<std::size_t>(target)], target) < 0)
      give_up(Stage::kDescriptors, errno);
  }
  ::umask(plan.umask);
  if (::chdir(plan.directory) != 0) {
    const int error = errno;
    if (plan.fallback_directory == nullptr || ::chdir(plan.fallback_directory) != 0)
      give_up(Stage::kDirectory, error);
  }
  give_up(Stage::kExec, try_exec(plan));
  __builtin_unreachable();
}

// In a function of its own, so that the child's use of the stack cannot disturb a caller's frame.
[[gnu::noinline]] pid_t fork_child(ChildPlan& plan) {
  const pid_t pid = ::vfork();
  if (pid == 0) run_child(plan);
  return pid;
}

// How many of standard input, output and error are not the terminal.
std::size_t streams_sent(const Spawn& request) {
  return 3u - static_cast<std::size_t>(std::popcount(request.terminal_fds & 7u));
}

SpawnFailed failure(const Spawn& request, int error, std::string what, bool directory = false) {
  return SpawnFailed{request.id, error, std::move(what), directory};
}

SpawnFailed failure(const Spawn& request, const ChildPlan& plan) {
  const int error = plan.error;
  switch (plan.failed) {
    case Stage::kTerminal:
      return failure(request, error, errno_error(error, "TIOCSCTTY").what);
    case Stage::kDescriptors:
      return failure(request, error, errno_error(error, "dup2").what);
    case Stage::kDirectory:
      return failure(request, error, errno_error(error, "chdir", request.directory).what, true);
    default:
      break;
  }
  if (error == ENOENT && request.path.find('/') == std::string::npos) {
    return failure(request, error, request.path + ": command not found");
  }
  return failure(request, error, request.path + ": " + std::strerror(error));
}

}  // namespace

std::expected<Commands::Started, SpawnFailed> Commands::start(const Spawn& request,
                                                              std::vector<UniqueFd> fds) {
  Terminal terminal;
  ChildPlan plan;
  if (request.terminal_fds != 0) {
    if (fds.size() > streams_sent(request)) {
      terminal.slave = std::move(fds.back());  // Without namespaces the daemon has opened it.
      fds.pop_back();
    } else {
      auto opened = open_terminal("/dev/pts/ptmx", request.rows, request.columns);
      if (!opened)
        return std::unexpected(failure(request, opened.error().code.value(), opened.error().what));
      terminal = std::move(*opened);
    }
    plan.controlling_terminal = terminal.slave.get();
  }
  std::size_t next = 0;
  for (int i = 0; i < 3; ++i) {
    const bool is_terminal = request.terminal_fds >> i & 1;
    if (!is_terminal && next >= fds.size()) {
      return std::unexpected(failure(request, EBADF, "a descriptor for the command is missing"));
    }
    plan.fds[static_cast<std::size_t>(i)] = is_terminal ? terminal.slave.get() : fds[next++].get();
  }

  Forked forked{request.id};
  const std::string packet = packet_bytes(MessageKind::kForked, to_wire(forked));
  plan.forked = packet;
  const std::vector<std::string> programs = candidates(request);
  std::vector<const char*> program_pointers;
  for (const std::string& program : programs) program_pointers.push_back(program.c_str());
  std::vector<char*> argv = pointers(request.argv);
  std::vector<char*> environment = pointers(request.environment);
  std::string shell = "/bin/sh";
  std::vector<char*> shell_argv = {shell.data(), nullptr};
  if (argv.size() > 1) shell_argv.insert(shell_argv.end(), argv.begin() + 1, argv.end());
  if (shell_argv.back() != nullptr) shell_argv.push_back(nullptr);
  plan.programs = &program_pointers;
  plan.argv = argv.data();
  plan.environment = environment.data();
  plan.shell_argv = shell_argv.data();
  plan.directory = request.directory.c_str();
  if (!request.fallback_directory.empty())
    plan.fallback_directory = request.fallback_directory.c_str();
  plan.umask = request.umask;

  const pid_t pid = fork_child(plan);
  if (pid < 0) {
    const int error = errno;
    return std::unexpected(failure(request, error, errno_error(error, "fork").what));
  }
  if (plan.failed != Stage::kNone) {
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(failure(request, plan));
  }
  pids_[request.id] = pid;
  ids_[pid] = request.id;
  return Started{std::move(terminal.master)};
}

void Commands::signal(const SignalCommand& request) {
  auto found = pids_.find(request.id);
  if (found == pids_.end()) return;
  // Not reaped yet, so the number cannot have been reused. ESRCH means that the group has ended.
  ::kill(request.whole_group ? -found->second : found->second, request.signal);
}

void Commands::reap(const std::function<void(const Exited&)>& report) {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    auto found = ids_.find(pid);
    if (found == ids_.end()) continue;
    auto microseconds = [](const timeval& time) {
      return time.tv_sec * std::int64_t{1'000'000} + time.tv_usec;
    };
    const Exited exited{found->second, status, microseconds(usage.ru_utime),
                        microseconds(usage.ru_stime), usage.ru_maxrss};
    pids_.erase(found->second);
    ids_.erase(found);
    report(exited);
  }
}

}  // namespace agentsh::sandbox
