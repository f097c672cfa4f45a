#include "sandbox/process/init/guardian.h"

#include "base/file_io.h"
#include "base/unique_fd.h"
#include "sandbox/process/init/descendants.h"
#include "sandbox/process/init_protocol.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace agentsh::sandbox {
namespace {

[[noreturn]] void guard(pid_t init) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, init, 0)));
  // Init reads the socket; here only its end counts. Without a handle everything ends at once.
  pollfd entries[2] = {{kInitControlFd, POLLRDHUP, 0}, {handle.get(), POLLIN, 0}};
  while (handle && ::poll(entries, 2, -1) < 0 && errno == EINTR) {
  }
  end_descendants();
  ::_exit(0);
}

}  // namespace

Result<> go_under_guardian() {
  const pid_t init = ::fork();
  if (init < 0) return std::unexpected(errno_error("fork"));
  if (init > 0) guard(init);
  // So that it reaps what loses its parent.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return std::unexpected(errno_error("PR_SET_CHILD_SUBREAPER"));
  return {};
}

}  // namespace agentsh::sandbox
