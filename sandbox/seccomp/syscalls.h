// Names of the system calls in the two lists of the filter (filter.h).
#pragma once

#include <span>

namespace agentsh::sandbox {

// Allowed whatever the arguments are.
std::span<const char* const> allowed_syscalls();

// Allowed calls that are newer than the libseccomp of Debian 12 and have no name there (x86-64 and
// aarch64 share the numbers above 403).
std::span<const int> allowed_new_syscalls();

// Answered with EPERM.
std::span<const char* const> forbidden_syscalls();

}  // namespace agentsh::sandbox
