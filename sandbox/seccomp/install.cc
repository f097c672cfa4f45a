#include "sandbox/seccomp/filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace agentsh::sandbox {

Result<> install_seccomp_program(const std::string& program) {
  sock_fprog filter{static_cast<unsigned short>(program.size() / sizeof(sock_filter)),
                    reinterpret_cast<sock_filter*>(const_cast<char*>(program.data()))};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
    return std::unexpected(errno_error("seccomp"));
  }
  return {};
}

}  // namespace agentsh::sandbox
