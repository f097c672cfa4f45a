#include "sandbox/process/pid_fd.h"

#include "base/file_io.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

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

pid_t PidFd::pid() const {
  auto info = read_file("/proc/self/fdinfo/" + std::to_string(fd_.get()), 4096);
  if (!info) return 0;
  const std::size_t line = info->find("\nPid:");
  if (line == std::string::npos) return 0;
  const long pid = std::strtol(info->c_str() + line + 5, nullptr, 10);
  return pid > 0 ? static_cast<pid_t>(pid) : 0;
}

}  // namespace agentsh::sandbox
