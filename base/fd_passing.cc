#include "base/fd_passing.h"

#include <poll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <cstring>

namespace agentsh {

Result<> send_with_fds(int socket, std::string_view data, std::span<const int> fds,
                       std::chrono::milliseconds patience) {
  assert(fds.size() <= kMaxPassedFds && !data.empty());
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedFds * sizeof(int))] = {};
  bool first = true;
  while (!data.empty()) {
    iovec part{const_cast<char*>(data.data()), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (first && !fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      pollfd room{socket, POLLOUT, 0};
      const int error = errno;
      if (error == EAGAIN && patience.count() > 0 &&
          ::poll(&room, 1, static_cast<int>(patience.count())) > 0)
        continue;
      return std::unexpected(errno_error(error, "sendmsg"));
    }
    first = false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<ReceivedMessage> receive_with_fds(int socket, std::size_t limit, bool dont_wait) {
  ReceivedMessage received;
  received.data.resize(limit);
  alignas(
      cmsghdr) char control[CMSG_SPACE(kMaxPassedFds * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
  iovec part{received.data.data(), limit};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (dont_wait ? MSG_DONTWAIT : 0));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::unexpected(errno_error("recvmsg"));
  received.data.resize(static_cast<std::size_t>(got));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
      received.sender = credentials.pid;
    }
    if (header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      received.fds.emplace_back(fd);
    }
  }
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    return fail("recvmsg: message or descriptors truncated", std::errc::message_size);
  }
  return received;
}

Result<std::pair<UniqueFd, UniqueFd>> unix_socket_pair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) {
    return std::unexpected(errno_error("socketpair"));
  }
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

}  // namespace agentsh
