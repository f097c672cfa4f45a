// A child process whose connect(2), chmod(2) and utimensat(2) wait for this one.
#pragma once

#include "base/unique_fd.h"
#include "sandbox/seccomp/filter.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace agentsh::sandbox {

class NotifiedChild {
 public:
  // `body` runs in the child; what it returns is its exit code.
  template <class Body>
  explicit NotifiedChild(Body body) {
    const auto program = build_connect_notifier();
    int numbers[2];
    if (!program || ::pipe(numbers) != 0) return;
    UniqueFd reader(numbers[0]), writer(numbers[1]);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::alarm(20);
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      auto listener = install_seccomp_notifier(*program);
      const int number = listener ? listener->get() : -1;
      if (::write(writer.get(), &number, sizeof number) != sizeof number) ::_exit(254);
      ::_exit(body());
    }
    writer.reset();
    int number = -1;
    if (::read(reader.get(), &number, sizeof number) != sizeof number) return;
    const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    listener_.reset(static_cast<int>(::syscall(SYS_pidfd_getfd, handle.get(), number, 0)));
  }
  ~NotifiedChild() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  NotifiedChild(const NotifiedChild&) = delete;
  NotifiedChild& operator=(const NotifiedChild&) = delete;

  pid_t pid() const { return pid_; }
  UniqueFd take_listener() { return std::move(listener_); }
  void kill() { ::kill(pid_, SIGKILL); }
  // Its exit code, or -1 when a signal ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd listener_;
};

}  // namespace agentsh::sandbox
