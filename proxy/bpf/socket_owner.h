// Which process of a session a connection belongs to, without eBPF: the kernel's socket diagnosis
// (sock_diag(7)) names the socket's inode, /proc names the process that holds it. A guess of the
// present rather than a record of the past: a process that is gone, or that passed the descriptor
// on, is not found or not the one that connected. "Unknown" is an ordinary answer.
//
// Cost: 10 to 30 µs for the inode, then 10 µs where the last finder asks again, up to some 100 µs.
// Threads: one at a time.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::bpf {

enum class Transport : std::uint8_t { kTcp, kUdp };

// What the kernel tells of a socket.
struct DiagnosedSocket {
  std::uint64_t inode = 0;
  uid_t uid = 0;
};

struct SocketOwner {
  std::uint64_t inode = 0;
  uid_t uid = 0;
  pid_t pid = 0;  // 0 when no process of the session was found to hold it.
  std::string comm;
};

// A socket that asks about the calling thread's network namespace, wherever it is used later.
Result<UniqueFd> open_socket_diagnosis();

class SocketOwnerFinder {
 public:
  // The processes to look at, in the PID namespace that /proc shows.
  using Processes = std::function<std::vector<pid_t>()>;

  SocketOwnerFinder(UniqueFd diagnosis, Processes processes)
      : diagnosis_(std::move(diagnosis)), processes_(std::move(processes)) {}

  // The owner of the socket bound to `local` and connected to `remote`, as its process sees them:
  // behind nftables, `remote` is the original destination. Empty when the kernel knows no such
  // socket.
  std::optional<SocketOwner> find(Transport transport, const Endpoint& local,
                                  const Endpoint& remote);
  // The owner of the UDP socket bound to `local`, wherever it sends to. Walks all UDP sockets of
  // the namespace.
  std::optional<SocketOwner> find_udp(const Endpoint& local);

 private:
  std::optional<SocketOwner> owner_of(std::optional<DiagnosedSocket> socket);
  pid_t find_holder(std::uint64_t inode);

  UniqueFd diagnosis_;
  Processes processes_;
  pid_t last_holder_ = 0;  // Most connections of a session come from one process.
  int last_descriptor_ = 0;
};

}  // namespace agentsh::bpf
