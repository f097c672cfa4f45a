#include "sandbox/process/init/identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace agentsh::sandbox {
namespace {

Result<> drop_bounding_set() {
  for (unsigned long capability = 0;; ++capability) {
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return {};  // EINVAL: past the kernel's last one.
    if (held == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return std::unexpected(errno_error("PR_CAPBSET_DROP"));
    }
  }
}

Result<> empty_capability_sets() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return std::unexpected(errno_error("PR_CAP_AMBIENT_CLEAR_ALL"));
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return std::unexpected(errno_error("capset"));
  return {};
}

}  // namespace

Result<> drop_privileges(const SessionSpec& spec) {
  // An ordinary user without a user namespace has nothing to drop, and may not try.
  const bool privileged = spec.own_user_namespace || ::geteuid() == 0;
  if (privileged) {
    if (auto done = drop_bounding_set(); !done) return done;
    // uid 0 must not regain capabilities at exec.
    constexpr unsigned long kSecure =
        SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
        SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (::prctl(PR_SET_SECUREBITS, kSecure, 0, 0, 0) != 0)
      return std::unexpected(errno_error("PR_SET_SECUREBITS"));
  }
  if (privileged && !spec.own_user_namespace) {
    if (::setgroups(spec.groups.size(), spec.groups.data()) != 0)
      return std::unexpected(errno_error("setgroups"));
    if (::setresgid(spec.gid, spec.gid, spec.gid) != 0)
      return std::unexpected(errno_error("setresgid"));
    if (::setresuid(spec.uid, spec.uid, spec.uid) != 0)
      return std::unexpected(errno_error("setresuid"));
  }
  if (auto done = empty_capability_sets(); !done) return done;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(errno_error("PR_SET_NO_NEW_PRIVS"));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return std::unexpected(errno_error("PR_SET_DUMPABLE"));
  // Without a PID namespace init must outlive the daemon long enough to end what it started, which
  // it does when the control socket closes.
  const unsigned long at_daemons_end = spec.own_namespaces ? SIGKILL : 0;
  if (::prctl(PR_SET_PDEATHSIG, at_daemons_end, 0, 0, 0) != 0)
    return std::unexpected(errno_error("PR_SET_PDEATHSIG"));
  if (!spec.own_namespaces && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return std::unexpected(errno_error("PR_SET_CHILD_SUBREAPER"));
  return {};
}

}  // namespace agentsh::sandbox
