#include "appliance/sessions/passed_descriptors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>

namespace agentsh {
namespace {

constexpr unsigned kMemoryDevices = 1;             // Major number of /dev/null and its like.
constexpr unsigned kHarmless[] = {3, 5, 7, 8, 9};  // null, zero, full, random, urandom.

int socket_option(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// A connected Unix stream stays where it is. Anything else is a door to the namespace that it was
// made in: a TCP socket can be disconnected and connected to another host, a datagram goes
// anywhere, a listener lets others in.
bool leads_to_one_peer(int fd) {
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  return socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) != SOCK_DGRAM &&
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

// SO_PEERCRED, unix(7): who listened, or who made the pair. Unreadable is as bad as ours.
bool leads_to(int fd, pid_t process) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid == process;
}

bool is_harmless_device(int fd, dev_t device) {
  if (::isatty(fd) != 0) return true;
  return major(device) == kMemoryDevices &&
         std::ranges::find(kHarmless, minor(device)) != std::end(kHarmless);
}

Result<> check(int fd, pid_t daemon) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return std::unexpected(errno_error("fstat"));
  const bool path_only = (::fcntl(fd, F_GETFL) & O_PATH) != 0;
  if (S_ISSOCK(status.st_mode) && !path_only) {
    if (leads_to_one_peer(fd) && leads_to(fd, daemon)) {
      return fail(
          "stdin, stdout or stderr is a connection to this server, which no session may have");
    }
    if (leads_to_one_peer(fd)) return {};
    return fail(
        "stdin, stdout or stderr is a network socket, which the command could connect elsewhere; "
        "put a pipe between (cat | agentsh exec ... | cat)");
  }
  const bool plain = S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) ||
                     (S_ISCHR(status.st_mode) && is_harmless_device(fd, status.st_rdev));
  if (plain && !path_only) return {};
  return fail(
      "stdin, stdout and stderr of a command must be files, pipes or terminals, not directories, "
      "devices or other objects of the kernel");
}

}  // namespace

Result<> check_passed_descriptors(std::span<const UniqueFd> fds, pid_t daemon) {
  for (const UniqueFd& fd : fds) {
    if (auto checked = check(fd.get(), daemon); !checked) return checked;
  }
  return {};
}

}  // namespace agentsh
