#include "appliance/network/configured_policy.h"

#include "base/domain.h"

#include <algorithm>

namespace agentsh {
namespace {

constexpr std::string_view kHostPortRule = "host-port";

// `pattern` is a host or "*.suffix", as sandbox.network.tls_passthrough has them.
bool host_matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return canonical_host(pattern) == host;
  const auto suffix = canonical_host(pattern.substr(2));
  return suffix && host != *suffix && is_subdomain_of(host, *suffix);
}

}  // namespace

bool ConfiguredPolicy::passes_tls(std::string_view host) const {
  if (!network_.tls_inspection) return true;
  return std::ranges::any_of(network_.tls_passthrough, [&](const std::string& pattern) {
    return host_matches(pattern, host);
  });
}

policy::Verdict ConfiguredPolicy::judge(const policy::ConnectFacts& facts) const {
  policy::Verdict verdict = rules_.judge(facts);
  const bool named = facts.transport == policy::Transport::kTcp &&
                     classify(facts.address) == AddressClass::kLoopback &&
                     std::ranges::find(host_ports_, facts.port) != host_ports_.end();
  if (named && verdict.rule() == policy::kDefaultDenyNetwork)
    return policy::Verdict::allow(kHostPortRule);
  if (passes_tls(facts.name)) return std::move(verdict).with_tls_passthrough(true);
  return verdict;
}

}  // namespace agentsh
