#include "proxy/dns/special_names.h"

#include "base/domain.h"

#include <array>
#include <charconv>

namespace agentsh::dns {
namespace {

constexpr std::string_view kReverseV4 = ".in-addr.arpa";
constexpr std::string_view kReverseV6 = ".ip6.arpa";

// Takes the first label off `rest`.
std::string_view take_label(std::string_view& rest) {
  const std::string_view label = rest.substr(0, rest.find('.'));
  rest.remove_prefix(std::min(label.size() + 1, rest.size()));
  return label;
}

std::optional<IpAddress> reverse_v4(std::string_view labels) {
  std::uint32_t value = 0;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    const std::string_view label = take_label(labels);
    unsigned part = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), part);
    if (error != std::errc{} || end != label.data() + label.size() || part > 255 ||
        label.size() > 3) {
      return {};
    }
    value |= part << shift;
  }
  if (!labels.empty()) return {};
  return IpAddress::v4(value);
}

std::optional<IpAddress> reverse_v6(std::string_view labels) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 32; ++i) {
    const std::string_view label = take_label(labels);
    unsigned nibble = 0;
    const auto [end, error] =
        std::from_chars(label.data(), label.data() + label.size(), nibble, 16);
    if (label.size() != 1 || error != std::errc{}) return {};
    auto& byte = bytes[15 - i / 2];
    byte = static_cast<std::uint8_t>(i % 2 == 0 ? nibble : byte | nibble << 4);
  }
  if (!labels.empty()) return {};
  return IpAddress::v6(bytes);
}

}  // namespace

SpecialName special_name(std::string_view host) {
  if (is_subdomain_of(host, "localhost")) return SpecialName::kLocalhost;
  if (is_subdomain_of(host, "onion")) return SpecialName::kOnion;
  if (is_subdomain_of(host, "local")) return SpecialName::kMulticast;
  // Names for link-local reverse look-ups are multicast too (RFC 6762 §12), but those of private
  // space are answered before they get here.
  if (host == "ipv4only.arpa") return SpecialName::kIpv4Only;
  // resolver.arpa lists encrypted resolvers (RFC 9462 §6.4: never forwarded),
  // use-application-dns.net is how a network asks browsers to use its own resolver.
  if (is_subdomain_of(host, "invalid") || is_subdomain_of(host, "resolver.arpa") ||
      is_subdomain_of(host, "use-application-dns.net")) {
    return SpecialName::kNoSuchName;
  }
  return SpecialName::kNone;
}

bool is_reverse_name(std::string_view host) {
  return host.ends_with(kReverseV4) || host.ends_with(kReverseV6);
}

std::optional<IpAddress> reverse_address(std::string_view host) {
  if (host.ends_with(kReverseV4)) {
    return reverse_v4(host.substr(0, host.size() - kReverseV4.size()));
  }
  if (host.ends_with(kReverseV6)) {
    return reverse_v6(host.substr(0, host.size() - kReverseV6.size()));
  }
  return {};
}

}  // namespace agentsh::dns
