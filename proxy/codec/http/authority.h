// The host and port of a Host field, an absolute URL or a CONNECT target (RFC 3986 §3.2, without
// user information), as views.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace agentsh::http {

struct Authority {
  std::string_view host;   // Without the brackets of an IPv6 literal; letter case as written.
  std::uint16_t port = 0;  // 0: none was written.
  bool ipv6_literal = false;

  std::uint16_t port_or(std::uint16_t standard) const { return port != 0 ? port : standard; }
};

// Nothing when the host is not a name (see base/domain.h), an IPv4 literal or a bracketed IPv6
// literal, or the port is not 1 to 65535. "host:" without digits is refused too: some read it as
// the standard port, some as an error.
std::optional<Authority> parse_authority(std::string_view text);

// Names compare without regard to letter case and one trailing dot.
bool same_host(std::string_view a, std::string_view b);

}  // namespace agentsh::http
