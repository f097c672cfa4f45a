#include "sandbox/seccomp/shared_host.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace agentsh::sandbox {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffff;

scmp_arg_cmp equals(unsigned argument, std::uint64_t value, std::uint64_t mask = kLow32) {
  return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, mask, value};
}
scmp_arg_cmp not_zero(unsigned argument) {
  return scmp_arg_cmp{argument, SCMP_CMP_NE, 0, 0};
}

// Message queues, semaphores and memory that other programs of the user share.
constexpr std::string_view kHostsIpc[] = {
    "mq_getsetattr", "mq_notify",  "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
    "msgctl",        "msgget",     "msgrcv",  "msgsnd",          "semctl",       "semget",
    "semop",         "semtimedop", "shmat",   "shmctl",          "shmdt",        "shmget"};

// Landlock says who opens a file, not who changes its owner, its attributes or its times by name.
constexpr std::string_view kMetadata[] = {
    "chown",        "fchown",    "fchownat",    "fremovexattr", "fsetxattr", "futimesat", "lchown",
    "lremovexattr", "lsetxattr", "removexattr", "setxattr",     "utime",     "utimes"};

// Socket options of these levels are allowed one by one: source routes and routing headers, by a
// socket's own or through a flow label, would lead what the daemon connects to loopback elsewhere.
constexpr int kIpOptions[] = {
    IP_TOS,     IP_TTL,     IP_PKTINFO, IP_MTU_DISCOVER,         IP_RECVERR,
    IP_RECVTTL, IP_RECVTOS, IP_MTU,     IP_BIND_ADDRESS_NO_PORT, 51 /* IP_LOCAL_PORT_RANGE */};
constexpr int kIpv6Options[] = {IPV6_UNICAST_HOPS, IPV6_MTU_DISCOVER,  IPV6_MTU,
                                IPV6_RECVERR,      IPV6_V6ONLY,        IPV6_RECVPKTINFO,
                                IPV6_RECVHOPLIMIT, IPV6_DONTFRAG,      IPV6_RECVTCLASS,
                                IPV6_TCLASS,       IPV6_AUTOFLOWLABEL, IPV6_ADDR_PREFERENCES};
constexpr int kNetlinkLevel = 270;  // SOL_NETLINK
// Other interfaces than loopback, and other protocols than TCP as the kernel speaks it by itself.
constexpr int kRefusedSocketOptions[] = {SO_BINDTODEVICE, 62 /* SO_BINDTOIFINDEX */};
constexpr int kRefusedTcpOptions[] = {TCP_REPAIR, TCP_FASTOPEN_CONNECT, TCP_ULP};
// Flags of files that are open for reading only, and fs-verity.
constexpr std::uint64_t kRefusedIoctls[] = {
    0x40086602 /* FS_IOC_SETFLAGS */, 0x40046602 /* FS_IOC32_SETFLAGS */,
    0x401c5820 /* FS_IOC_FSSETXATTR */, 0x40806685 /* FS_IOC_ENABLE_VERITY */};
constexpr std::uint64_t kPriorityOfUser = PRIO_USER;
constexpr std::uint64_t kIoPriorityOfUser = 3;  // IOPRIO_WHO_USER

bool contains(std::span<const std::string_view> list, std::string_view call) {
  return std::ranges::find(list, call) != list.end();
}

}  // namespace

bool needs_own_namespaces(std::string_view call) {
  return contains(kHostsIpc, call) || contains(kMetadata, call) || call == "setsockopt" ||
         call == "socketpair" || call == "listen";
}

void allow_on_shared_host(const AddRule& rule) {
  for (const int level : {SOL_SOCKET, static_cast<int>(IPPROTO_TCP), kNetlinkLevel})
    rule(SCMP_ACT_ALLOW, "setsockopt", {equals(1, static_cast<std::uint64_t>(level))});
  for (const int option : kIpOptions) {
    rule(SCMP_ACT_ALLOW, "setsockopt",
         {equals(1, IPPROTO_IP), equals(2, static_cast<std::uint64_t>(option))});
  }
  for (const int option : kIpv6Options) {
    rule(SCMP_ACT_ALLOW, "setsockopt",
         {equals(1, IPPROTO_IPV6), equals(2, static_cast<std::uint64_t>(option))});
  }
  // A pair of datagram sockets could send to any other one by name.
  for (const std::uint64_t type : {SOCK_STREAM, SOCK_SEQPACKET})
    rule(SCMP_ACT_ALLOW, "socketpair", {equals(1, type, 0xf)});
}

void refuse_on_shared_host(const AddRule& rule) {
  constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
  for (const std::string_view call : kHostsIpc) rule(kRefuse, call.data(), {});
  for (const std::string_view call : kMetadata) rule(kRefuse, call.data(), {});
  // Nobody connects in from the host's network, and nothing is sent before connect(2) was decided.
  rule(kRefuse, "listen", {});
  rule(kRefuse, "sendto", {equals(3, MSG_FASTOPEN, MSG_FASTOPEN)});
  rule(kRefuse, "sendmsg", {equals(2, MSG_FASTOPEN, MSG_FASTOPEN)});
  rule(kRefuse, "sendmmsg", {equals(3, MSG_FASTOPEN, MSG_FASTOPEN)});
  for (const std::uint64_t type : {SOCK_DGRAM, SOCK_RAW, SOCK_RDM})
    rule(kRefuse, "socketpair", {equals(1, type, 0xf)});
  for (const int option : kRefusedSocketOptions) {
    rule(kRefuse, "setsockopt",
         {equals(1, SOL_SOCKET), equals(2, static_cast<std::uint64_t>(option))});
  }
  for (const int option : kRefusedTcpOptions) {
    rule(kRefuse, "setsockopt",
         {equals(1, IPPROTO_TCP), equals(2, static_cast<std::uint64_t>(option))});
  }
  for (const std::uint64_t request : kRefusedIoctls) rule(kRefuse, "ioctl", {equals(1, request)});
  // How other processes of the user run: 0 is the caller.
  for (const char* call :
       {"sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"})
    rule(kRefuse, call, {not_zero(0)});
  for (const char* call : {"setpriority", "ioprio_set"}) rule(kRefuse, call, {not_zero(1)});
  rule(kRefuse, "setpriority", {equals(0, kPriorityOfUser)});
  rule(kRefuse, "ioprio_set", {equals(0, kIoPriorityOfUser)});
}

}  // namespace agentsh::sandbox
