#include "appliance/client/terminal.h"

#include "base/file_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace agentsh::client {
namespace {

constexpr std::size_t kChunk = 64 << 10;

// Copies what is there; false at the end (EIO is how a PTY master says that the last slave closed).
bool copy_once(int from, int to) {
  std::array<char, kChunk> buffer;
  const ssize_t got = ::read(from, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  return write_all(to, {buffer.data(), static_cast<std::size_t>(got)}, "terminal").has_value();
}

void drain(int master, int output) {
  ::fcntl(master, F_SETFL, O_NONBLOCK);
  for (;;) {
    pollfd entry{master, POLLIN, 0};
    if (::poll(&entry, 1, 0) <= 0 || (entry.revents & POLLIN) == 0) return;
    if (!copy_once(master, output)) return;
  }
}

void handle_signal(const RelayPlan& plan) {
  signalfd_siginfo info;
  if (::read(plan.signals, &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo == SIGWINCH) {
    winsize size = terminal_size(plan.input >= 0 ? plan.input : plan.output);
    if (plan.master >= 0 && ::ioctl(plan.master, TIOCSWINSZ, &size) != 0) plan.on_resize(size);
    return;
  }
  plan.on_signal(static_cast<int>(info.ssi_signo));
}

}  // namespace

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  termios current;
  if (fd < 0 || ::tcgetattr(fd, &current) != 0) return;
  saved_ = current;
  ::cfmakeraw(&current);
  ::tcsetattr(fd, TCSADRAIN, &current);
}

RawTerminal::~RawTerminal() {
  if (saved_) ::tcsetattr(fd_, TCSADRAIN, &*saved_);
}

winsize terminal_size(int fd) {
  winsize size{};
  if (fd < 0 || ::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    size.ws_row = 24;
    size.ws_col = 80;
  }
  return size;
}

Result<UniqueFd> command_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH})
    ::sigaddset(&set, signal);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
    return std::unexpected(errno_error("sigprocmask"));
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("signalfd"));
  return fd;
}

int wait_for(int fd, int signals) {
  for (;;) {
    std::array<pollfd, 2> entries = {{{fd, POLLIN, 0}, {signals, POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return 0;
    signalfd_siginfo info;
    if (entries[1].revents != 0 && ::read(signals, &info, sizeof info) == sizeof info &&
        info.ssi_signo != SIGWINCH) {
      return static_cast<int>(info.ssi_signo);
    }
    if (entries[0].revents != 0) return 0;
  }
}

Result<> relay_terminal(const RelayPlan& plan) {
  bool input_open = plan.input >= 0 && plan.master >= 0;
  bool output_open = plan.master >= 0;
  for (;;) {
    if (plan.control_ready()) {
      if (!plan.on_control()) break;
      continue;
    }
    std::array<pollfd, 4> entries = {{{plan.control, POLLIN, 0},
                                      {plan.signals, POLLIN, 0},
                                      {output_open ? plan.master : -1, POLLIN, 0},
                                      {input_open ? plan.input : -1, POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error("poll"));
    }
    if (entries[1].revents != 0) handle_signal(plan);
    if (entries[2].revents != 0) output_open = copy_once(plan.master, plan.output);
    if (entries[3].revents != 0) input_open = copy_once(plan.input, plan.master);
    if (entries[0].revents != 0 && !plan.on_control()) break;
  }
  if (output_open) drain(plan.master, plan.output);
  return {};
}

}  // namespace agentsh::client
