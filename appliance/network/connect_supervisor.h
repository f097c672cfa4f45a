// connect(2) of a session that has no network namespace, done by the daemon.
//
// The session's filter leaves it one way out: TCP, by connect(). Each call waits here
// (sandbox/seccomp/notifications.h). The caller's own socket is then connected to the session's
// listener, whatever address it gave, and the listener is told where it wanted to go; the proxy
// decides as for any other flow. The address is read once, and nothing that the caller does
// afterwards can lead the socket elsewhere: it is the daemon that connects it.
//
// The calls that MetadataCalls does arrive by the same listener, because there can be one only.
//
// What the program can see of it: getpeername(2) names the listener.
//
// Threads: one of its own.
#pragma once

#include "appliance/network/ingress.h"
#include "appliance/sessions/metadata_calls.h"
#include "base/unique_fd.h"
#include "sandbox/seccomp/notifications.h"

#include <sys/socket.h>

#include <memory>
#include <mutex>
#include <thread>

namespace agentsh {

class ConnectSupervisor {
 public:
  static Result<std::unique_ptr<ConnectSupervisor>> start(UniqueFd notifications,
                                                          std::shared_ptr<Ingress> ingress,
                                                          MetadataCalls metadata);
  // Calls that wait are refused; later ones fail with ENOSYS.
  ~ConnectSupervisor();

 private:
  ConnectSupervisor(UniqueFd notifications, std::shared_ptr<Ingress> ingress,
                    MetadataCalls metadata, UniqueFd stop);
  int perform(const sandbox::Call& call);
  void serve();
  // The errno for the caller; 0 when its socket is connected.
  int connect(const sandbox::Call& call);
  int connect_tcp(const sandbox::Call& call, const UniqueFd& socket, const Endpoint& destination);
  int connect_to_listener(const UniqueFd& socket, const sockaddr* address, socklen_t length);

  sandbox::Notifications notifications_;
  std::shared_ptr<Ingress> ingress_;
  MetadataCalls metadata_;
  UniqueFd stop_;
  std::mutex connecting_mutex_;
  int connecting_ = -1;  // A socket on which the thread may be waiting.
  std::thread thread_;
};

}  // namespace agentsh
