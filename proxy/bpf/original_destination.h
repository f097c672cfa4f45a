// Where an accepted connection was going before nftables redirected it (SO_ORIGINAL_DST of
// netfilter's connection tracking). Any thread.
#pragma once

#include "base/ip.h"
#include "base/result.h"

namespace agentsh::bpf {

// Fails with connection_refused for a connection that was not redirected: one made straight to the
// listener, which would otherwise be proxied to the proxy itself. Such a connection is to be
// closed.
Result<Endpoint> original_destination(int accepted_fd);

}  // namespace agentsh::bpf
