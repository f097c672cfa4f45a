#include "appliance/network/kernel_rules.h"

#include <algorithm>

namespace agentsh {
namespace {

// No public address lies in the network. The special blocks are contiguous, so first and last
// address decide, except for networks wider than a block, which hold public ones.
bool never_public(const Cidr& network) {
  if (classify(network.network) == AddressClass::kPublic) return false;
  // Networks that carry IPv4 addresses hold public ones between special ones.
  if (embedded_ipv4(network.network)) return false;
  auto last = network.network.bytes();
  const int bits = network.prefix + (network.network.is_v4() ? 96 : 0);
  for (int bit = bits; bit < 128; ++bit) {
    last[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> (bit % 8));
  }
  const IpAddress last_address =
      network.network.is_v4() ? IpAddress::from_network(last.data() + 12, 4) : IpAddress::v6(last);
  const int narrowest_block = network.network.is_v4() ? 4 : 7;
  return network.prefix >= narrowest_block && classify(last_address) != AddressClass::kPublic;
}

void add(std::vector<bpf::StaticRule>& rules, const policy::NetworkRule& rule,
         bpf::StaticAnswer answer, std::uint64_t tag, bool public_too) {
  for (const Cidr& network : rule.cidrs) {
    if (!public_too && !never_public(network)) continue;
    if (rule.ports.empty()) rules.push_back({network, 0, 65535, answer, tag});
    for (std::uint16_t port : rule.ports) rules.push_back({network, port, port, answer, tag});
  }
}

}  // namespace

KernelRules kernel_rules(const policy::CompiledPolicy& policy) {
  KernelRules result;
  bool names_may_match = false;
  for (const policy::NetworkRule& rule : policy.policy().network_rules) {
    const bool denies = rule.decision == policy::Decision::kDeny;
    if (rule.cidrs.empty()) {
      // A denial by name or port is the proxy's; anything else may let a public address through
      // before what follows.
      names_may_match = names_may_match || !denies;
      continue;
    }
    if (denies && rule.domains.empty()) {
      result.names.push_back(rule.name);
      result.messages.push_back(rule.message);
      add(result.rules, rule, bpf::StaticAnswer::kNotPermitted, result.names.size() - 1,
          !names_may_match);
    } else if (!denies) {
      // Later denials must not be answered where this rule may say otherwise, with or without a
      // name.
      add(result.rules, rule, bpf::StaticAnswer::kToProxy, 0, true);
    }
  }
  return result;
}

}  // namespace agentsh
