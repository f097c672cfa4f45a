// Host names as they are compared everywhere: lower case, no trailing dot, checked against what a
// resolver accepts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace agentsh {

// The canonical form of a host name, or nothing when it is not one: at most 253 bytes, labels of 1
// to 63 letters, digits, hyphens and underscores (service names have them). Internationalised names
// must come in their ASCII form (RFC 5891), so look-alikes compare as what they are. Control bytes,
// spaces and NUL are refused, which matters: "evil\0.allowed.example" is one name to a policy and
// another to a resolver.
std::optional<std::string> canonical_host(std::string_view text);

// True when `name` is `suffix` or ends in "." + `suffix`. Both canonical.
bool is_subdomain_of(std::string_view name, std::string_view suffix);

// "host", "host:port", "[v6]:port" -> host without brackets and the port, `default_port` when there
// is none. Nothing when the text is malformed. The host is not canonicalised.
struct HostPort {
  std::string host;
  unsigned short port = 0;
};
std::optional<HostPort> split_host_port(std::string_view text, unsigned short default_port);

}  // namespace agentsh
