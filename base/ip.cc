#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <bitset>
#include <cassert>
#include <charconv>
#include <cstring>

namespace agentsh {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <class Number>
std::optional<Number> parse_decimal(std::string_view text, Number maximum) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return {};
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > maximum) return {};
  return static_cast<Number>(value);
}

struct SpecialBlock {
  std::string_view cidr;
  AddressClass value;
};

// IANA special-purpose registries (RFC 6890 and successors) and the metadata services of cloud
// providers. The first block that contains an address decides, so narrow ones stand before wide
// ones.
constexpr SpecialBlock kSpecialBlocks[] = {
    {"169.254.169.254/32", AddressClass::kMetadata},  // AWS, Azure, GCP, and most others
    {"169.254.170.2/32", AddressClass::kMetadata},    // AWS ECS task credentials
    {"169.254.170.23/32", AddressClass::kMetadata},   // AWS EKS pod identity
    {"100.100.100.200/32", AddressClass::kMetadata},  // Alibaba Cloud
    {"168.63.129.16/32", AddressClass::kMetadata},    // Azure wire server
    {"192.0.0.192/32", AddressClass::kMetadata},      // Oracle Cloud
    {"0.0.0.0/32", AddressClass::kUnspecified},
    {"0.0.0.0/8", AddressClass::kUnspecified},  // "this network": Linux treats some of it as local
    {"127.0.0.0/8", AddressClass::kLoopback},
    {"169.254.0.0/16", AddressClass::kLinkLocal},
    {"10.0.0.0/8", AddressClass::kPrivate},
    {"172.16.0.0/12", AddressClass::kPrivate},
    {"192.168.0.0/16", AddressClass::kPrivate},
    {"100.64.0.0/10", AddressClass::kPrivate},
    {"192.0.0.0/24", AddressClass::kPrivate},
    {"192.0.2.0/24", AddressClass::kPrivate},
    {"198.18.0.0/15", AddressClass::kPrivate},
    {"198.51.100.0/24", AddressClass::kPrivate},
    {"203.0.113.0/24", AddressClass::kPrivate},
    {"255.255.255.255/32", AddressClass::kBroadcast},
    {"224.0.0.0/4", AddressClass::kMulticast},
    {"240.0.0.0/4", AddressClass::kPrivate},
    {"fd00:ec2::/32", AddressClass::kMetadata},           // AWS over IPv6
    {"fd20:ce::254/128", AddressClass::kMetadata},        // GCP over IPv6
    {"fd00:c1::a9fe:a9fe/128", AddressClass::kMetadata},  // Oracle Cloud over IPv6
    {"fd00:42::42/128", AddressClass::kMetadata},         // Scaleway over IPv6
    {"::/128", AddressClass::kUnspecified},
    {"::1/128", AddressClass::kLoopback},
    {"fe80::/10", AddressClass::kLinkLocal},
    {"fec0::/10", AddressClass::kPrivate},  // site-local, deprecated, still routed by some
    {"fc00::/7", AddressClass::kPrivate},
    {"ff00::/8", AddressClass::kMulticast},
    {"100::/64", AddressClass::kPrivate},       // discard only
    {"2001:db8::/32", AddressClass::kPrivate},  // documentation
    {"3fff::/20", AddressClass::kPrivate},      // documentation
    {"5f00::/16", AddressClass::kPrivate},      // segment routing
};

AddressClass classify_directly(const IpAddress& address) {
  static const auto blocks = [] {
    std::array<std::pair<Cidr, AddressClass>, std::size(kSpecialBlocks)> parsed;
    for (std::size_t i = 0; i < parsed.size(); ++i) {
      auto cidr = Cidr::parse(kSpecialBlocks[i].cidr);
      assert(cidr && "a built-in address block does not parse");
      parsed[i] = {*cidr, kSpecialBlocks[i].value};
    }
    return parsed;
  }();
  // Most addresses begin with a byte that no block begins with.
  static const auto first_bytes = [] {
    std::array<std::bitset<256>, 2> known;
    for (const auto& [cidr, value] : blocks) {
      const bool v4 = cidr.network.is_v4();
      const unsigned first = cidr.network.bytes()[v4 ? 12 : 0];
      const unsigned others = cidr.prefix >= 8 ? 0 : (1u << (8 - cidr.prefix)) - 1;
      for (unsigned byte = first; byte <= first + others; ++byte) known[v4 ? 1 : 0].set(byte);
    }
    return known;
  }();
  const bool v4 = address.is_v4();
  if (!first_bytes[v4 ? 1 : 0].test(address.bytes()[v4 ? 12 : 0])) return AddressClass::kPublic;
  for (const auto& [cidr, value] : blocks) {
    if (cidr.contains(address)) return value;
  }
  return AddressClass::kPublic;
}

IpAddress v4_at(const IpAddress& address, std::size_t offset) {
  return IpAddress::from_network(address.bytes().data() + offset, 4);
}

bool has_prefix(const IpAddress& address, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.bytes().begin());
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
  std::uint32_t network = htonl(host_order);
  return from_network(&network, 4);
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress address;
  address.bytes_ = bytes;
  address.v4_ = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
  return address;
}

IpAddress IpAddress::from_network(const void* bytes, std::size_t length) {
  assert(length == 4 || length == 16);
  IpAddress address;
  if (length == 4) {
    std::memcpy(address.bytes_.data() + 12, bytes, 4);
    return address;
  }
  std::array<std::uint8_t, 16> copy;
  std::memcpy(copy.data(), bytes, 16);
  return v6(copy);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN) return {};
  std::string copy(text);
  std::array<std::uint8_t, 16> bytes;
  if (text.find(':') != std::string_view::npos) {
    if (::inet_pton(AF_INET6, copy.c_str(), bytes.data()) != 1) return {};
    return v6(bytes);
  }
  if (::inet_pton(AF_INET, copy.c_str(), bytes.data()) != 1) return {};
  return from_network(bytes.data(), 4);
}

std::uint32_t IpAddress::v4_value() const {
  assert(v4_);
  std::uint32_t network;
  std::memcpy(&network, bytes_.data() + 12, 4);
  return ntohl(network);
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (!v4_) {
    ::inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
    return text;
  }
  // inet_ntop would go through sprintf, and events hold many of these.
  char* end = text;
  for (std::size_t i = 12; i < 16; ++i) {
    if (i > 12) *end++ = '.';
    end = std::to_chars(end, std::end(text), static_cast<unsigned>(bytes_[i])).ptr;
  }
  return std::string(text, end);
}

std::string Endpoint::to_string() const {
  std::string host = address.to_string();
  if (address.is_v6()) host = "[" + host + "]";
  return host + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  auto port = parse_decimal<std::uint16_t>(text.substr(colon + 1), 65535);
  if (!port) return {};
  bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto address = IpAddress::parse(host);
  if (!address || bracketed != (host.find(':') != std::string_view::npos)) return {};
  return Endpoint{*address, *port};
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr* address, socklen_t length) {
  if (length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    return Endpoint{IpAddress::from_network(&in.sin_addr, 4), ntohs(in.sin_port)};
  }
  if (length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof in6);
    return Endpoint{IpAddress::from_network(&in6.sin6_addr, 16), ntohs(in6.sin6_port)};
  }
  return {};
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& out) const {
  std::memset(&out, 0, sizeof out);
  if (address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.bytes().data() + 12, 4);
    return sizeof in;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(out);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&in6.sin6_addr, address.bytes().data(), 16);
  return sizeof in6;
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  std::size_t slash = text.find('/');
  auto network = IpAddress::parse(text.substr(0, slash));
  if (!network) return {};
  // A mapped network ("::ffff:0:0/96") is written in IPv6 bits but is held as IPv4.
  bool mapped = network->is_v4() && text.find(':') != std::string_view::npos;
  int width = network->is_v4() && !mapped ? 32 : 128;
  int prefix = width;
  if (slash != std::string_view::npos) {
    auto parsed =
        parse_decimal<std::uint8_t>(text.substr(slash + 1), static_cast<std::uint8_t>(width));
    if (!parsed) return {};
    prefix = *parsed;
  }
  if (mapped) {
    if (prefix < 96) return {};
    prefix -= 96;
  }
  Cidr cidr{*network, prefix};
  const int first_host_bit = prefix + (network->is_v4() ? 96 : 0);
  for (int bit = first_host_bit; bit < 128; ++bit) {
    if (network->bytes()[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8) & 1) return {};
  }
  return cidr;
}

bool Cidr::contains(const IpAddress& address) const {
  if (address.is_v4() != network.is_v4()) return false;
  const int bits = prefix + (network.is_v4() ? 96 : 0);
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(network.bytes().begin(),
                  network.bytes().begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes().begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00 >> (bits % 8));
  return (network.bytes()[whole] & mask) == (address.bytes()[whole] & mask);
}

std::string Cidr::to_string() const {
  return network.to_string() + "/" + std::to_string(prefix);
}

std::optional<IpAddress> embedded_ipv4(const IpAddress& address) {
  if (address.is_v4()) return {};
  if (has_prefix(address, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}))
    return v4_at(address, 12);
  if (has_prefix(address, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01})) return v4_at(address, 12);
  if (has_prefix(address, {0x20, 0x02})) return v4_at(address, 2);
  if (has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0})) return v4_at(address, 12);
  if (has_prefix(address, {0x20, 0x01, 0, 0})) {
    std::array<std::uint8_t, 4> client;
    for (std::size_t i = 0; i < 4; ++i) {
      client[i] = static_cast<std::uint8_t>(~address.bytes()[12 + i]);
    }
    return IpAddress::from_network(client.data(), 4);
  }
  const bool compatible = has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const bool unspecified_or_loopback =
      has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) &&
      address.bytes()[15] <= 1;
  if (compatible && !unspecified_or_loopback) return v4_at(address, 12);
  return {};
}

std::string_view to_string(AddressClass value) {
  switch (value) {
    case AddressClass::kPublic:
      return "public";
    case AddressClass::kUnspecified:
      return "unspecified";
    case AddressClass::kLoopback:
      return "loopback";
    case AddressClass::kLinkLocal:
      return "link-local";
    case AddressClass::kPrivate:
      return "private";
    case AddressClass::kMulticast:
      return "multicast";
    case AddressClass::kBroadcast:
      return "broadcast";
    case AddressClass::kMetadata:
      return "metadata";
  }
  return "unknown";
}

AddressClass classify(const IpAddress& address) {
  AddressClass direct = classify_directly(address);
  if (direct != AddressClass::kPublic) return direct;
  if (auto inner = embedded_ipv4(address)) return classify_directly(*inner);
  return direct;
}

}  // namespace agentsh
