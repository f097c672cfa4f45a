#include "sandbox/process/pid_fd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace agentsh::sandbox {

Result<> PidFd::signal(int signal) const {
  if (::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0) != 0) {
    return std::unexpected(errno_error("pidfd_send_signal"));
  }
  return {};
}

bool PidFd::wait(int timeout_ms) const {
  pollfd entry{fd_.get(), POLLIN, 0};
  int ready;
  do {
    ready = ::poll(&entry, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return false;
  siginfo_t info;
  ::waitid(P_PIDFD, static_cast<id_t>(fd_.get()), &info, WEXITED);
  return true;
}

}  // namespace agentsh::sandbox
