#include "policies/network_decider.h"

#include "base/domain.h"
#include "policies/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace agentsh::policy {
namespace {

constexpr std::uint16_t kDnsPort = 53;

// Special-use names and those that RFC 6762 (appendix G) found in private use.
constexpr std::string_view kPrivateSuffixes[] = {"internal", "local",  "localhost", "home.arpa",
                                                 "test",     "lan",    "home",      "corp",
                                                 "intranet", "private"};

bool is_private_name(std::string_view name) {
  return name.find('.') == std::string_view::npos ||
         std::ranges::any_of(kPrivateSuffixes, [&](std::string_view suffix) {
           return is_subdomain_of(name, suffix);
         });
}

bool is_denial(const NetworkRule& rule) {
  return rule.decision == Decision::kDeny;
}

// Is the network one of addresses that are not public, or all there are?
bool reaches_beyond_public(const Cidr& cidr) {
  return classify(cidr.network) != AddressClass::kPublic || cidr.prefix == 0;
}

std::string destination(const ConnectFacts& facts) {
  if (facts.name.empty()) return Endpoint{facts.address, facts.port}.to_string();
  std::string text(facts.name);
  text += ':';
  text += std::to_string(facts.port);
  return text;
}

std::string_view describe(AddressClass value) {
  switch (value) {
    case AddressClass::kLoopback:
      return "a loopback address";
    case AddressClass::kMetadata:
      return "a cloud metadata service";
    case AddressClass::kLinkLocal:
      return "a link-local address";
    case AddressClass::kPrivate:
      return "a private address";
    case AddressClass::kMulticast:
      return "a multicast address";
    case AddressClass::kBroadcast:
      return "a broadcast address";
    case AddressClass::kUnspecified:
      return "no address of a host";
    case AddressClass::kPublic:
      break;
  }
  return "a public address";
}

}  // namespace

NetworkDecider::NetworkDecider(const std::vector<NetworkRule>& rules, Diagnostics& problems)
    : rules_(&rules) {
  for (const NetworkRule& rule : rules) {
    outcomes_.push_back({.name = rule.name,
                         .message = rule.message,
                         .timeout = rule.timeout,
                         .decision = rule.decision,
                         .tls_passthrough = rule.tls_passthrough,
                         .template_message = rule.message.find("{{") != std::string::npos,
                         .about_dns = std::ranges::find(rule.ports, kDnsPort) != rule.ports.end()});
  }
  std::vector<NetworkEntry> entries = network_entries(rules, problems);
  build_dns(entries);
  build(std::move(entries));
}

void NetworkDecider::build(std::vector<NetworkEntry> entries) {
  const auto bound = static_cast<std::uint32_t>(entries.size());
  std::vector<GlobIndex::Entry> names;
  std::vector<CidrIndex::Entry> networks;
  std::vector<CidrIndex::Entry> denied;
  std::vector<std::uint32_t> any_host;
  std::vector<std::uint32_t> any_port;
  std::vector<std::uint32_t> any_address;
  std::vector<std::uint32_t> any_denied;
  std::map<std::uint16_t, std::vector<std::uint32_t>> ports;
  for (std::uint32_t id = 0; id < bound; ++id) {
    NetworkEntry& entry = entries[id];
    const NetworkRule& rule = (*rules_)[entry.rule];
    rule_of_.push_back(entry.rule);
    if (entry.any_host) {
      any_host.push_back(id);
    } else {
      for (Glob& glob : entry.names) names.push_back({std::move(glob), id});
    }
    if (rule.ports.empty()) any_port.push_back(id);
    for (std::uint16_t port : rule.ports) ports[port].push_back(id);
    for (const Cidr& cidr : entry.cidrs) {
      networks.push_back({cidr, id});
      if (is_denial(rule)) denied.push_back({cidr, id});
    }
    if (entry.cidrs.empty()) {
      any_address.push_back(id);
      if (is_denial(rule)) any_denied.push_back(id);
    }
  }
  names_ = GlobIndex(std::move(names), bound);
  networks_ = CidrIndex(std::move(networks), bound);
  denied_networks_ = CidrIndex(std::move(denied), bound);
  any_host_ = IdSet(std::move(any_host), bound);
  any_port_ = IdSet(std::move(any_port), bound);
  any_address_ = IdSet(std::move(any_address), bound);
  any_address_denials_ = IdSet(std::move(any_denied), bound);
  for (auto& [port, ids] : ports) ports_.emplace_back(port, IdSet(std::move(ids), bound));
}

void NetworkDecider::build_dns(const std::vector<NetworkEntry>& entries) {
  const auto bound = static_cast<std::uint32_t>(entries.size());
  std::vector<std::uint32_t> every_name;
  std::vector<std::uint32_t> private_name;
  for (std::uint32_t id = 0; id < bound; ++id) {
    const NetworkEntry& entry = entries[id];
    const NetworkRule& rule = (*rules_)[entry.rule];
    if (entry.any_host && !entry.cidrs.empty()) {
      const bool beyond = std::ranges::any_of(entry.cidrs, reaches_beyond_public);
      if (!is_denial(rule) && beyond) private_name.push_back(id);
      continue;
    }
    if (is_denial(rule)) {
      const bool about_dns =
          rule.ports.empty() || std::ranges::find(rule.ports, kDnsPort) != rule.ports.end();
      if (!about_dns || !entry.cidrs.empty()) continue;
    }
    every_name.push_back(id);
  }
  dns_ = IdSet(std::move(every_name), bound);
  dns_private_ = IdSet(std::move(private_name), bound);
}

Selector NetworkDecider::port_selector(std::uint16_t port) const {
  Selector selector(&any_port_);
  const auto found =
      std::ranges::lower_bound(ports_, port, {}, [](auto& item) { return item.first; });
  if (found != ports_.end() && found->first == port) selector.add(&found->second);
  return selector;
}

Selector NetworkDecider::hosts(std::string_view name, GlobIndex::Match& match) const {
  Selector selector(&any_host_);
  if (name.empty()) return selector;
  match = names_.match(name);
  match.add_to(selector);
  return selector;
}

std::optional<std::size_t> NetworkDecider::match(const ConnectFacts& facts, Reach reach) const {
  GlobIndex::Match names;
  Selector addresses(reach == Reach::kPublic ? &any_address_ : &any_address_denials_);
  addresses.add(networks_.find(facts.address));
  if (facts.address.is_v6()) {
    if (auto inner = embedded_ipv4(facts.address)) addresses.add(denied_networks_.find(*inner));
  }
  const std::array<Selector, 3> selectors = {hosts(facts.name, names), port_selector(facts.port),
                                             addresses};
  auto entry = first_common(selectors);
  if (!entry) return {};
  return rule_of_[*entry];
}

bool NetworkDecider::names_host(std::size_t index, std::string_view name) const {
  if (name.empty()) return false;
  auto names = names_.match(name);
  Selector named;
  names.add_to(named);
  return std::ranges::any_of(named.sets(), [&](const IdSet* set) {
    return std::ranges::any_of(set->ids(), [&](std::uint32_t id) { return rule_of_[id] == index; });
  });
}

bool NetworkDecider::permits_some_port(std::string_view name, const IpAddress& address) const {
  if (rule_of_.empty()) return false;
  GlobIndex::Match names;
  const bool covered = classify(address) == AddressClass::kPublic;
  Selector addresses(covered ? &any_address_ : &any_address_denials_);
  addresses.add(networks_.find(address));
  const std::array<Selector, 2> selectors = {hosts(name, names), addresses};
  // A denial for some ports leaves the others.
  auto entry = first_common(selectors, [&](std::uint32_t id) {
    const NetworkRule& rule = (*rules_)[rule_of_[id]];
    return !is_denial(rule) || rule.ports.empty();
  });
  return entry && !is_denial((*rules_)[rule_of_[*entry]]);
}

std::optional<std::size_t> NetworkDecider::match(const ConnectFacts& facts) const {
  if (rule_of_.empty()) return {};
  const bool covered =
      facts.transport == Transport::kTcp && classify(facts.address) == AddressClass::kPublic;
  return match(facts, covered ? Reach::kPublic : Reach::kDenialsOnly);
}

std::optional<std::size_t> NetworkDecider::match(const DnsFacts& facts) const {
  if (rule_of_.empty()) return {};
  GlobIndex::Match names;
  Selector speaking(&dns_);
  if (is_private_name(facts.name)) speaking.add(&dns_private_);
  const std::array<Selector, 2> selectors = {hosts(facts.name, names), speaking};
  auto entry = first_common(selectors);
  if (!entry) return {};
  return rule_of_[*entry];
}

std::string NetworkDecider::guard_note(const ConnectFacts& facts) const {
  const AddressClass kind = classify(facts.address);
  std::string note;
  if (kind != AddressClass::kPublic) {
    note = fmt::format("{} is {}, which only a rule with cidrs can allow",
                       facts.address.to_string(), describe(kind));
    if (!facts.name.empty()) note = fmt::format("{} leads to {}", facts.name, note);
  } else if (facts.transport == Transport::kUdp) {
    note = fmt::format(
        "UDP to {} needs a rule with cidrs; use TCP, or DNS through the session's "
        "resolver",
        destination(facts));
  } else {
    return {};
  }
  // What would a rule say if the guard did not stand in its way?
  auto stopped = rule_of_.empty() ? std::nullopt : match(facts, Reach::kPublic);
  if (!stopped || is_denial((*rules_)[*stopped])) return note;
  return note + fmt::format(" (rule \"{}\" has none)", (*rules_)[*stopped].name);
}

std::string NetworkDecider::denial_message(const Outcome& outcome,
                                           const ConnectFacts& facts) const {
  std::string message = "rule \"" + outcome.name + "\" denies connections to ";
  message += destination(facts);
  const std::string note = guard_note(facts);
  // Without a rule that the guard stopped, the note would only distract.
  if (note.ends_with(')')) message += "; " + note;
  return message;
}

Verdict NetworkDecider::verdict(const ConnectFacts& facts) const {
  auto index = match(facts);
  if (!index) {
    std::string message = guard_note(facts);
    if (message.empty()) {
      message = "no rule allows a connection to " + destination(facts);
      message += "; a rule of network_rules must allow it";
    }
    return Verdict::deny(kDefaultDenyNetwork, message);
  }
  const Outcome& outcome = outcomes_[*index];
  if (!outcome.template_message &&
      !(outcome.message.empty() && outcome.decision == Decision::kDeny)) {
    return Verdict::from_rule(outcome.decision, outcome.name, outcome.message)
        .with_approval_timeout(outcome.timeout)
        .with_tls_passthrough(outcome.tls_passthrough);
  }
  std::string message;
  if (outcome.template_message) {
    const std::string address = facts.address.to_string();
    const std::string port = std::to_string(facts.port);
    message = render_message(
        outcome.message,
        std::array<MessageValue, 3>{
            {{"RemoteAddr", address}, {"RemotePort", port}, {"Domain", facts.name}}});
  } else {
    message = denial_message(outcome, facts);
  }
  return Verdict::from_rule(outcome.decision, outcome.name, message)
      .with_approval_timeout(outcome.timeout)
      .with_tls_passthrough(outcome.tls_passthrough);
}

Verdict NetworkDecider::verdict(const DnsFacts& facts) const {
  auto index = match(facts);
  if (!index) {
    return Verdict::deny(kDefaultDenyNetwork,
                         fmt::format("no rule allows a connection to {}, so its name is not "
                                     "resolved; a rule of network_rules must allow it",
                                     facts.name));
  }
  const Outcome& outcome = outcomes_[*index];
  if (outcome.decision == Decision::kApprove && outcome.about_dns) {
    return Verdict::from_rule(Decision::kApprove, outcome.name, outcome.message)
        .with_approval_timeout(outcome.timeout);
  }
  if (outcome.decision != Decision::kDeny) {
    // The connection that follows is what waits for an approval or is redirected: a resolver gives
    // up long before a person has answered.
    const bool audited = outcome.decision == Decision::kAudit;
    return Verdict::from_rule(audited ? Decision::kAudit : Decision::kAllow, outcome.name, {});
  }
  if (!outcome.message.empty()) {
    return Verdict::deny(
        outcome.name,
        render_message(outcome.message, std::array<MessageValue, 2>{
                                            {{"Domain", facts.name}, {"RemoteAddr", facts.name}}}));
  }
  return Verdict::deny(outcome.name,
                       fmt::format("rule \"{}\" denies {}", outcome.name, facts.name));
}

}  // namespace agentsh::policy
