// The static system-call filter of every session, as cBPF programs for seccomp(2).
//
// Two programs, both inherited by everything in the session:
//   allow list   system calls that ordinary programs need; anything else answers ENOSYS, so
//   libraries fall back. Socket
//                families, types and protocols are an allow list too (UNIX, INET, INET6,
//                NETLINK_ROUTE; TCP and UDP), and this belongs to the network path: no other layer
//                sees AF_PACKET, AF_VSOCK or raw sockets.
//   refusals     calls that are allowed in general but not with these arguments (TIOCSTI, clone
//   into namespaces,
//                prlimit on others), and known dangerous ones that deserve EPERM rather than
//                ENOSYS.
//
// A session without namespaces has a third program, by which connect(2) and changes of files' modes
// and times wait for the daemon (notifications.h); there, sockets are TCP only and nobody listens,
// so that connect() is the only way out, and what a namespace would have kept apart is refused
// (shared_host.h).
//
// Foreign architectures (i386 by int 0x80, x32) kill the process: their call numbers mean other
// things. The kernel reads the low 32 bits of int arguments, so comparisons mask to 32 bits as
// well.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <string>
#include <vector>

namespace agentsh::sandbox {

enum class SocketRules {
  kOwnNetwork,  // The session has a network namespace, whose every way out is ours.
  kTcpClients,  // It has the host's.
};

// The programs in the order in which they are to be installed, each an array of struct sock_filter
// as bytes.
Result<std::vector<std::string>> build_seccomp_programs(SocketRules sockets);

// The program by which those calls wait for whoever has the listener.
Result<std::string> build_connect_notifier();

// Installs one program on the calling thread; needs no_new_privs.
Result<> install_seccomp_program(const std::string& program);
// The same, with a listener for its notifications (seccomp_unotify(2)).
Result<UniqueFd> install_seccomp_notifier(const std::string& program);

}  // namespace agentsh::sandbox
