#include "sandbox/seccomp/filter.h"

#include "base/file_io.h"
#include "base/unique_fd.h"
#include "sandbox/seccomp/shared_host.h"
#include "sandbox/seccomp/syscalls.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace agentsh::sandbox {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffff;
constexpr std::uint64_t kTypeBits =
    0xf;  // SOCK_TYPE_MASK: the rest is SOCK_CLOEXEC and SOCK_NONBLOCK.
constexpr std::uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */;
// Families without an own answer by the allow list get EAFNOSUPPORT, as on a kernel built without
// them.
constexpr int kLastCheckedFamily = 45;  // AF_MCTP
constexpr int kRefusedProtocols[] = {IPPROTO_DCCP, IPPROTO_SCTP, IPPROTO_UDPLITE,
                                     262 /* IPPROTO_MPTCP */};
// ioctl requests: typing into a terminal that is shared, console functions, line disciplines.
constexpr std::uint64_t kRefusedIoctls[] = {0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */,
                                            0x5423 /* TIOCSETD */};
constexpr int kChmodAtWithFlags = 452;  // fchmodat2
constexpr std::uint64_t kPersonalities[] = {0x0, 0x0008, 0x20000, 0x20008, kLow32};

class Filter {
 public:
  static Result<Filter> create(std::uint32_t default_action) {
    Filter filter(::seccomp_init(default_action));
    if (!filter.context_) return fail("seccomp_init failed", std::errc::not_enough_memory);
    // A process that leaves its architecture is not doing anything that could be answered.
    if (::seccomp_attr_set(filter.context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) !=
            0 ||
        ::seccomp_attr_set(filter.context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0) {
      return fail("seccomp_attr_set failed");
    }
    return filter;
  }

  // Adds a rule; errors are kept and reported by export_program().
  void rule(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    if (call == __NR_SCMP_ERROR) return;  // Not on this architecture (time, open, ... on aarch64).
    const int result = ::seccomp_rule_add_array(
        context_.get(), action, call, static_cast<unsigned>(conditions.size()), conditions.begin());
    if (result != 0 && result != -EEXIST && error_ == 0) error_ = result;
  }
  void rule(std::uint32_t action, const char* name,
            std::initializer_list<scmp_arg_cmp> conditions = {}) {
    rule(action, ::seccomp_syscall_resolve_name(name), conditions);
  }

  Result<std::string> export_program() const {
    if (error_ != 0) return std::unexpected(errno_error(-error_, "seccomp_rule_add"));
    UniqueFd memory(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!memory) return std::unexpected(errno_error("memfd_create"));
    if (const int result = ::seccomp_export_bpf(context_.get(), memory.get()); result != 0) {
      return std::unexpected(errno_error(-result, "seccomp_export_bpf"));
    }
    if (::lseek(memory.get(), 0, SEEK_SET) != 0) return std::unexpected(errno_error("lseek"));
    return read_all(memory.get(), 1 << 20, "seccomp program");
  }

 private:
  explicit Filter(scmp_filter_ctx context) : context_(context, &::seccomp_release) {}
  std::unique_ptr<void, void (*)(void*)> context_;
  int error_ = 0;
};

scmp_arg_cmp low32_equals(unsigned argument, std::uint64_t value, std::uint64_t mask = kLow32) {
  return scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, mask, value};
}

AddRule rules_of(Filter& filter) {
  return [&filter](std::uint32_t action, const char* name,
                   std::initializer_list<scmp_arg_cmp> conditions) {
    filter.rule(action, name, conditions);
  };
}

// socket(2): what may be opened, and the errno that says best why the rest may not.
void add_socket_rules(Filter& filter, SocketRules sockets) {
  // What only a network of the session's own makes harmless: datagrams and Unix sockets.
  const std::uint32_t in_own_network =
      sockets == SocketRules::kOwnNetwork ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
  filter.rule(in_own_network, "socket", {low32_equals(0, AF_UNIX)});
  filter.rule(SCMP_ACT_ALLOW, "socket",
              {low32_equals(0, AF_NETLINK), low32_equals(2, NETLINK_ROUTE)});
  for (std::uint64_t family : {AF_INET, AF_INET6}) {
    for (std::uint64_t protocol : {0, static_cast<int>(IPPROTO_TCP)}) {
      filter.rule(SCMP_ACT_ALLOW, "socket",
                  {low32_equals(0, family), low32_equals(1, SOCK_STREAM, kTypeBits),
                   low32_equals(2, protocol)});
    }
    for (std::uint64_t protocol : {0, static_cast<int>(IPPROTO_UDP)}) {
      filter.rule(in_own_network, "socket",
                  {low32_equals(0, family), low32_equals(1, SOCK_DGRAM, kTypeBits),
                   low32_equals(2, protocol)});
    }
    filter.rule(SCMP_ACT_ERRNO(EPERM), "socket",
                {low32_equals(0, family), low32_equals(1, SOCK_RAW, kTypeBits)});
    for (int protocol : kRefusedProtocols) {
      for (std::uint64_t type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_DCCP}) {
        filter.rule(SCMP_ACT_ERRNO(EPROTONOSUPPORT), "socket",
                    {low32_equals(0, family), low32_equals(1, type, kTypeBits),
                     low32_equals(2, static_cast<std::uint64_t>(protocol))});
      }
    }
  }
  for (int family = 0; family <= kLastCheckedFamily; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
      continue;
    filter.rule(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
                {low32_equals(0, static_cast<std::uint64_t>(family))});
  }
}

Result<std::string> build_allow_list(SocketRules sockets) {
  auto filter = Filter::create(SCMP_ACT_ERRNO(ENOSYS));
  if (!filter) return std::unexpected(filter.error());
  const bool shared_host = sockets == SocketRules::kTcpClients;
  for (const char* name : allowed_syscalls()) {
    if (!shared_host || !needs_own_namespaces(name)) filter->rule(SCMP_ACT_ALLOW, name);
  }
  if (shared_host) allow_on_shared_host(rules_of(*filter));
  for (int number : allowed_new_syscalls()) filter->rule(SCMP_ACT_ALLOW, number);
  for (const char* name : forbidden_syscalls()) filter->rule(SCMP_ACT_ERRNO(EPERM), name);
  add_socket_rules(*filter, sockets);
  for (std::uint64_t value : kPersonalities)
    filter->rule(SCMP_ACT_ALLOW, "personality", {low32_equals(0, value)});
  filter->rule(SCMP_ACT_ALLOW, "clone", {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0}});
  filter->rule(SCMP_ACT_ALLOW, "unshare",
               {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0}});
  // Limits of other processes, init's above all, are not a command's business.
  filter->rule(SCMP_ACT_ALLOW, "prlimit64", {low32_equals(0, 0)});
  return filter->export_program();
}

Result<std::string> build_refusals(SocketRules sockets) {
  auto filter = Filter::create(SCMP_ACT_ALLOW);
  if (!filter) return std::unexpected(filter.error());
  if (sockets == SocketRules::kTcpClients) refuse_on_shared_host(rules_of(*filter));
  for (std::uint64_t request : kRefusedIoctls) {
    filter->rule(SCMP_ACT_ERRNO(EPERM), "ioctl", {low32_equals(1, request)});
  }
  filter->rule(SCMP_ACT_ERRNO(EPERM), "prlimit64", {scmp_arg_cmp{0, SCMP_CMP_NE, 0, 0}});
  for (std::uint64_t flag = 1; flag != 0 && flag <= kNamespaceFlags; flag <<= 1) {
    if ((flag & kNamespaceFlags) == 0) continue;
    // The allow list would say ENOSYS, which programs take for "no such kernel feature" and hide
    // from the user.
    for (const char* call : {"clone", "unshare"}) {
      filter->rule(SCMP_ACT_ERRNO(EPERM), call, {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, flag, flag}});
    }
  }
  return filter->export_program();
}

}  // namespace

Result<std::vector<std::string>> build_seccomp_programs(SocketRules sockets) {
  // Of several filters that answer with an errno the most recently installed one wins, so the more
  // telling one is last.
  std::vector<std::string> programs;
  for (auto build : {&build_allow_list, &build_refusals}) {
    auto program = build(sockets);
    if (!program) return std::unexpected(with_context(program.error(), "system-call filter"));
    programs.push_back(std::move(*program));
  }
  return programs;
}

Result<std::string> build_connect_notifier() {
  auto filter = Filter::create(SCMP_ACT_ALLOW);
  if (!filter) return std::unexpected(filter.error());
  filter->rule(SCMP_ACT_NOTIFY, "connect");
  // Landlock does not judge these (shared_host.cc).
  for (const char* call : {"chmod", "fchmod", "fchmodat", "utimensat"})
    filter->rule(SCMP_ACT_NOTIFY, call);
  filter->rule(SCMP_ACT_NOTIFY, kChmodAtWithFlags);
  auto program = filter->export_program();
  if (!program) return std::unexpected(with_context(program.error(), "system-call notifications"));
  return program;
}

}  // namespace agentsh::sandbox
