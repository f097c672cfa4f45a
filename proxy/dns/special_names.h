// Names that no upstream is asked about, whatever policy says: those with a meaning of their own
// (RFC 6761 and its registry), those that would make clients resolve past us, and addresses written
// backwards.
#pragma once

#include "base/ip.h"

#include <optional>
#include <string_view>

namespace agentsh::dns {

enum class SpecialName {
  kNone,
  kLocalhost,   // localhost, *.localhost: the session's own loopback (RFC 6761 §6.3).
  kIpv4Only,    // ipv4only.arpa: the addresses of RFC 8880, never a NAT64 prefix.
  kMulticast,   // *.local: mDNS (RFC 6762), refused unless a rule names it.
  kOnion,       // *.onion: refused; Tor has its own resolver (RFC 7686).
  kNoSuchName,  // *.invalid, and what announces resolvers that would bypass this one.
};

SpecialName special_name(std::string_view host);

// The address that "4.3.2.1.in-addr.arpa" or an ip6.arpa name with 32 nibbles stands for.
std::optional<IpAddress> reverse_address(std::string_view host);
bool is_reverse_name(std::string_view host);

}  // namespace agentsh::dns
