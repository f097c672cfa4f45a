// Rules for sessions that have the host's network, processes and IPC objects in reach, where
// elsewhere a namespace has only the session's own (filter.h, SocketRules::kTcpClients).
#pragma once

#include <seccomp.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string_view>

namespace agentsh::sandbox {

using AddRule = std::function<void(std::uint32_t action, const char* name,
                                   std::initializer_list<scmp_arg_cmp> conditions)>;

// Calls that the allow list must not let through whatever their arguments.
bool needs_own_namespaces(std::string_view call);

// What of those is allowed all the same.
void allow_on_shared_host(const AddRule& rule);
// Refusals with EPERM.
void refuse_on_shared_host(const AddRule& rule);

}  // namespace agentsh::sandbox
