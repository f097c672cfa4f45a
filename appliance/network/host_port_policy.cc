#include "appliance/network/host_port_policy.h"

#include <algorithm>

namespace agentsh {
namespace {

constexpr std::string_view kHostPortRule = "host-port";

}  // namespace

policy::Verdict HostPortPolicy::judge(const policy::ConnectFacts& facts) const {
  policy::Verdict verdict = rules_.judge(facts);
  const bool named = facts.transport == policy::Transport::kTcp &&
                     classify(facts.address) == AddressClass::kLoopback &&
                     std::ranges::find(host_ports_, facts.port) != host_ports_.end();
  if (named && verdict.rule() == policy::kDefaultDenyNetwork)
    return policy::Verdict::allow(kHostPortRule);
  return verdict;
}

}  // namespace agentsh
