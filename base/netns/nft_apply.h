// Sends an nftables batch that was built elsewhere (nft_ruleset.h) to the kernel: what the
// session's init does inside its namespace without linking libnftnl. Uses `base` only.
//
// Needs CAP_NET_ADMIN over the namespace that the socket was opened in. A batch is one transaction:
// after an error nothing of it is in force.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>

namespace agentsh::netns {

// A NETLINK_NETFILTER socket in the calling thread's network namespace. It stays with that
// namespace when it is handed to another process.
Result<UniqueFd> open_netfilter_socket();

// Applies `batch` and waits for the kernel's answer.
Result<> apply_batch(int netfilter_socket, Bytes batch);

// A socket that hears what the rules of the calling thread's namespace log to `group`, for
// nft_refusal_log.h. Needs a group that no other process of the namespace is bound to.
inline constexpr std::uint16_t kRefusalLogGroup = 1;
Result<UniqueFd> open_refusal_log(std::uint16_t group);

}  // namespace agentsh::netns
