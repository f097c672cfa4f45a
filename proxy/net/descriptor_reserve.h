// Descriptors that sessions cannot use up. The kernel gives out the lowest number that is free, so
// a descriptor's number tells how many are in use; connections of sessions whose number is too high
// are closed again, and the control API, the audit log and new sessions always find some.
//
// Threads: any.
#pragma once

namespace agentsh::net {

enum class DescriptorUse {
  kAccepted,  // A session's connection to the proxy.
  kUpstream,  // What was accepted may still connect to its server when no more is accepted.
};

bool is_in_reserve(int descriptor, DescriptorUse use);

}  // namespace agentsh::net
