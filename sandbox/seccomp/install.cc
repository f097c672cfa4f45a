#include "sandbox/seccomp/filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace agentsh::sandbox {

namespace {

// Since Linux 5.19: a call that was taken up is interrupted by fatal signals only.
constexpr unsigned kWaitKillable = 1u << 5;

long install(const std::string& program, unsigned flags) {
  sock_fprog filter{static_cast<unsigned short>(program.size() / sizeof(sock_filter)),
                    reinterpret_cast<sock_filter*>(const_cast<char*>(program.data()))};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

}  // namespace

Result<> install_seccomp_program(const std::string& program) {
  if (install(program, 0) != 0) return std::unexpected(errno_error("seccomp"));
  return {};
}

Result<UniqueFd> install_seccomp_notifier(const std::string& program) {
  long listener = install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER | kWaitKillable);
  if (listener < 0 && errno == EINVAL)
    listener = install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener < 0) return std::unexpected(errno_error("seccomp", "user notification"));
  return UniqueFd(static_cast<int>(listener));
}

}  // namespace agentsh::sandbox
