// IP addresses, endpoints and networks as values, and the classes of address that matter to a
// policy.
//
// An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is normalised to IPv4 when it is made from a socket
// or parsed, because the kernel treats them as one destination; other embeddings (NAT64, 6to4,
// v4-compatible) stay IPv6 and are decoded by embedded_ipv4().
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh {

class IpAddress {
 public:
  // The unspecified IPv4 address, 0.0.0.0.
  constexpr IpAddress() = default;

  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
  // From sin_addr/sin6_addr in network order. `length` is 4 or 16.
  static IpAddress from_network(const void* bytes, std::size_t length);

  // Dotted decimal with four parts, or RFC 4291 text without a zone. Octal, hexadecimal and short
  // IPv4 forms are refused: they mean different things to different parsers.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return v4_; }
  bool is_v6() const { return !v4_; }
  std::uint32_t v4_value() const;  // Host order. Precondition: is_v4().
  // The 16 bytes of the address; IPv4 in its mapped form.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

  std::string to_string() const;  // RFC 5952 for IPv6.

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_ = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  bool v4_ = true;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "1.2.3.4:443" or "[2001:db8::1]:443".
  std::string to_string() const;
  static std::optional<Endpoint> parse(std::string_view text);

  // Conversions to and from the kernel's form. from_sockaddr is empty for families other than
  // AF_INET and AF_INET6.
  static std::optional<Endpoint> from_sockaddr(const sockaddr* address, socklen_t length);
  socklen_t to_sockaddr(sockaddr_storage& out) const;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// A network in CIDR notation. The prefix length counts bits of the address's own family.
struct Cidr {
  IpAddress network;
  int prefix = 32;

  // Refuses set host bits ("10.0.0.1/8"), so that a typing error is seen. A bare address is a host
  // network.
  static std::optional<Cidr> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  std::string to_string() const;
  friend bool operator==(const Cidr&, const Cidr&) = default;
};

// The IPv4 address carried inside an IPv6 one: v4-compatible ::a.b.c.d, translated ::ffff:0:a.b.c.d
// (RFC 2765), NAT64 64:ff9b::/96 and 64:ff9b:1::/48 (RFC 6052, 8215), 6to4 2002::/16, Teredo
// 2001::/32 (its client part).
std::optional<IpAddress> embedded_ipv4(const IpAddress& address);

// What an address is, for the guard against server-side request forgery. kPublic is everything
// else.
enum class AddressClass {
  kPublic,
  kUnspecified,
  kLoopback,
  kLinkLocal,
  kPrivate,  // RFC 1918, RFC 6598 (shared), RFC 4193 (unique local), RFC 2544 benchmarking, other
             // special blocks
  kMulticast,
  kBroadcast,
  kMetadata,  // Cloud instance metadata services, link-local ones included.
};
std::string_view to_string(AddressClass value);

// The class of the address itself or, where it embeds an IPv4 address, the worse of both.
AddressClass classify(const IpAddress& address);

}  // namespace agentsh

template <>
struct std::hash<agentsh::IpAddress> {
  std::size_t operator()(const agentsh::IpAddress& address) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size()});
  }
};
