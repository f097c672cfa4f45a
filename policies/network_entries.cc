#include "policies/network_entries.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

// The addresses among `domains` that lie within the rule's own cidrs, if it has any.
void add_address(const NetworkRule& rule, const IpAddress& address, NetworkEntry& entry) {
  const bool within = rule.cidrs.empty() || std::ranges::any_of(rule.cidrs, [&](const Cidr& cidr) {
                        return cidr.contains(address);
                      });
  if (within) entry.cidrs.push_back({address, address.is_v4() ? 32 : 128});
}

IpAddress last_address(const Cidr& cidr) {
  auto bytes = cidr.network.bytes();
  for (int bit = cidr.prefix + (cidr.network.is_v4() ? 96 : 0); bit < 128; ++bit) {
    bytes[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  }
  return IpAddress::v6(bytes);
}

// Is no address of the network public? Blocks that are not public are at least as wide as a /8, and
// no network below that has public addresses between two ends that are not. IPv6 networks that
// carry IPv4 addresses are as public as those.
bool wholly_special(const Cidr& cidr) {
  if (cidr.prefix < 8) return false;
  if (cidr.network.is_v6() && cidr.prefix < 128 && embedded_ipv4(cidr.network)) return false;
  return classify(cidr.network) != AddressClass::kPublic &&
         classify(last_address(cidr)) != AddressClass::kPublic;
}

void emit(const NetworkRule& rule, std::uint32_t index, const Cidr& network, bool denied,
          std::vector<StaticNetworkRule>& out) {
  if (rule.ports.empty()) {
    out.push_back({.network = network, .denied = denied, .rule = index});
  }
  for (std::uint16_t port : rule.ports) {
    out.push_back({network, port, port, denied, index});
  }
}

}  // namespace

std::vector<NetworkEntry> network_entries(const std::vector<NetworkRule>& rules,
                                          Diagnostics& problems) {
  std::vector<NetworkEntry> entries;
  entries.reserve(rules.size());
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    const NetworkRule& rule = rules[i];
    NetworkEntry named{i, rule.domains.empty(), {}, rule.cidrs};
    NetworkEntry addressed{i, true, {}, {}};
    for (const LocatedText& domain : rule.domains) {
      if (auto address = IpAddress::parse(domain.text)) {
        add_address(rule, *address, addressed);
        continue;
      }
      auto glob = Glob::parse(domain.text, '.');
      if (!glob) {
        problems.error(domain.where, fmt::format("network_rules[{}].domains", i),
                       fmt::format("\"{}\" is no glob: {}", domain.text, glob.error().what));
      } else if (glob->is_lone_star()) {
        named.any_host = true;
      } else {
        named.names.push_back(std::move(*glob));
      }
    }
    if (named.any_host || !named.names.empty()) entries.push_back(std::move(named));
    if (!addressed.cidrs.empty()) entries.push_back(std::move(addressed));
  }
  return entries;
}

bool matches_everything(const NetworkRule& rule) {
  if (!rule.ports.empty() || !rule.cidrs.empty()) return false;
  return rule.domains.empty() || std::ranges::any_of(rule.domains, [](const LocatedText& domain) {
           auto glob = Glob::parse(domain.text, '.');
           return glob && glob->is_lone_star();
         });
}

std::vector<StaticNetworkRule> static_network_rules(const std::vector<NetworkRule>& rules) {
  const Cidr everything[] = {{IpAddress::v4(0), 0}, {IpAddress::v6({}), 0}};
  Diagnostics unused("");
  // Rules without cidrs that are not denials cover public addresses only, so networks without any
  // are settled in a list of their own, in front, where those rules make no exceptions.
  std::vector<StaticNetworkRule> special;
  std::vector<StaticNetworkRule> all;
  for (const NetworkEntry& entry : network_entries(rules, unused)) {
    const NetworkRule& rule = rules[entry.rule];
    const bool denied = rule.decision == Decision::kDeny;
    if (denied && (!entry.any_host || entry.cidrs.empty())) continue;  // The proxy's.
    for (const Cidr& cidr : entry.cidrs) {
      emit(rule, entry.rule, cidr, denied, all);
      if (!denied || wholly_special(cidr)) emit(rule, entry.rule, cidr, denied, special);
    }
    if (!entry.cidrs.empty()) continue;
    for (const Cidr& cidr : everything) emit(rule, entry.rule, cidr, false, all);
  }
  special.insert(special.end(), all.begin(), all.end());
  // Exceptions behind the last denial change nothing.
  while (!special.empty() && !special.back().denied) special.pop_back();
  return special;
}

}  // namespace agentsh::policy
