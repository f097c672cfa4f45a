// The part of resolv.conf(5) that is used: name servers and search suffixes. Immutable once parsed.
#pragma once

#include "base/ip.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dns {

struct ResolverConfig {
  std::vector<Endpoint> servers;      // Port 53. Scoped IPv6 addresses (fe80::1%eth0) are left out.
  std::vector<std::string> suffixes;  // Canonical, from `search` or `domain`; the last line counts.

  static ResolverConfig parse(std::string_view text);
};

}  // namespace agentsh::dns
