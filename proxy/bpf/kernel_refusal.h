// What the kernel programs refused by themselves, as user space hears of it.
#pragma once

#include "base/ip.h"
#include "base/time_format.h"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::bpf {

enum class RefusalKind : std::uint8_t {
  kRule = 1,        // A static rule; `tag` is the one it was given.
  kUdp = 2,         // A datagram that is not DNS.
  kListener = 3,    // A direct connection to the proxy's own addresses.
  kSocketType = 4,  // socket(2) of a type or protocol that sessions do not have.
  kNamespace = 5,   // A socket of another network namespace, or of a session not set up yet.
  kFamily = 6,      // An address family that the session has no listener for.
  kEgress = 7,      // A packet that came past every other hook.
  kFlowTable = 8,   // No room for the original destination: the SYN is held back, TCP repeats it.
  kProtocol = 9,    // connect() or send() on a socket that is neither TCP nor UDP.
};
// A short sentence for an audit event: "datagram other than DNS".
std::string_view to_string(RefusalKind kind);

// Equal refusals (session, process, destination, reason) are reported together.
struct KernelRefusal {
  std::uint64_t netns_cookie = 0;  // Of the session; 0 when it had no configuration yet.
  RefusalKind kind = RefusalKind::kRule;
  std::uint64_t tag = 0;
  std::optional<Endpoint> destination;  // Empty for kSocketType.
  int protocol = 0;                     // IPPROTO_*
  int socket_type = 0;                  // SOCK_*, 0 on the packet path.
  int error = 0;                        // errno that the caller got; 0 for kFlowTable.
  pid_t pid = 0;                        // Process and thread, 0 when unknown.
  pid_t tid = 0;
  uid_t uid = 0;
  std::string comm;
  std::uint64_t count = 1;  // How many this report stands for.
  WallTime first_at{};
  WallTime last_at{};
};

using RefusalCallback = std::function<void(const KernelRefusal&)>;

}  // namespace agentsh::bpf
