// network_rules in the form that is compiled: host names and addresses taken apart.
//
// An address among `domains` ("127.0.0.1") is a network of one address, so such a rule becomes two
// entries: one about names, one about any host at those addresses. A lone `*` or `**` is any host.
#pragma once

#include "policies/glob.h"
#include "policies/model.h"

#include <cstdint>
#include <vector>

namespace agentsh::policy {

struct NetworkEntry {
  std::uint32_t rule;  // Index in network_rules.
  bool any_host;
  std::vector<Glob> names;  // Unless any_host.
  std::vector<Cidr> cidrs;  // Empty: no condition on the address.
};

// In the order of the rules. Globs that do not parse are reported and left out.
std::vector<NetworkEntry> network_entries(const std::vector<NetworkRule>& rules,
                                          Diagnostics& problems);

// Does the rule hold for every host, address and port?
bool matches_everything(const NetworkRule& rule);

// An answer that does not depend on names, in the kernel's terms: the first of a list that contains
// address and port decides.
struct StaticNetworkRule {
  Cidr network;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;
  bool denied = false;  // False: an exception, left to the proxy.
  std::uint32_t rule = 0;
};

// What may be answered at connect() and sendto() already: addresses that a denial with cidrs and
// without domains covers before any other rule could. What is not denied here is not permitted: it
// goes to the proxy, which decides with the name.
std::vector<StaticNetworkRule> static_network_rules(const std::vector<NetworkRule>& rules);

}  // namespace agentsh::policy
