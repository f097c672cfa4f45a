// Messages with descriptors over Unix sockets (SCM_RIGHTS, unix(7)).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh {

inline constexpr std::size_t kMaxPassedFds = 16;

// One message (or, on a stream socket, at least its first byte together with the descriptors).
// Blocks; on a non-blocking socket that is full, for at most `patience` each time. SIGPIPE is not
// raised. The kernel duplicates the descriptors; the caller keeps its own.
Result<> send_with_fds(int socket, std::string_view data, std::span<const int> fds,
                       std::chrono::milliseconds patience = {});

struct ReceivedMessage {
  std::string data;           // Empty at end of stream.
  std::vector<UniqueFd> fds;  // Close-on-exec.
  // Who wrote it, in our PID namespace, where the socket has SO_PASSCRED; else 0. The kernel keeps
  // it with the message, so it is right even when that process has ended.
  pid_t sender = 0;
};

// One recvmsg of at most `limit` bytes and kMaxPassedFds descriptors. Fails when the kernel
// truncated either: then descriptors were lost, and going on would act on half a message. With
// `dont_wait`, fails with resource_unavailable_try_again when there is nothing.
Result<ReceivedMessage> receive_with_fds(int socket, std::size_t limit, bool dont_wait = false);

// A connected pair of close-on-exec Unix sockets of `type` (SOCK_STREAM, SOCK_SEQPACKET).
Result<std::pair<UniqueFd, UniqueFd>> unix_socket_pair(int type);

}  // namespace agentsh
