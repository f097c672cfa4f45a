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

template <class Condition>
IdSet NetworkDecider::entries_that(const std::vector<NetworkEntry>& entries,
                                   Condition condition) const {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 0; id < entries.size(); ++id) {
    if (condition(entries[id], (*rules_)[entries[id].rule])) ids.push_back(id);
  }
  return IdSet(std::move(ids), static_cast<std::uint32_t>(entries.size()));
}

void NetworkDecider::build(std::vector<NetworkEntry> entries) {
  const auto bound = static_cast<std::uint32_t>(entries.size());
  any_port_ = entries_that(entries, [](auto&, auto& rule) { return rule.ports.empty(); });
  any_address_ = entries_that(entries, [](auto& entry, auto&) { return entry.cidrs.empty(); });
  any_address_denials_ = entries_that(
      entries, [](auto& entry, auto& rule) { return entry.cidrs.empty() && is_denial(rule); });
  build_ports(entries);
  std::vector<GlobIndex::Entry> names;
  std::vector<CidrIndex::Entry> networks;
  std::vector<CidrIndex::Entry> hostless;
  std::vector<CidrIndex::Entry> denied;
  for (std::uint32_t id = 0; id < bound; ++id) {
    NetworkEntry& entry = entries[id];
    rule_of_.push_back(entry.rule);
    for (const Cidr& cidr : entry.cidrs) {
      networks.push_back({cidr, id});
      if (entry.any_host) hostless.push_back({cidr, id});
      if (is_denial((*rules_)[entry.rule])) denied.push_back({cidr, id});
    }
    if (entry.any_host) continue;
    for (Glob& glob : entry.names) names.push_back({std::move(glob), id});
  }
  names_ = GlobIndex(std::move(names), bound);
  networks_ = CidrIndex(std::move(networks), bound);
  hostless_networks_ = CidrIndex(std::move(hostless), bound);
  denied_networks_ = CidrIndex(std::move(denied), bound);
}

void NetworkDecider::build_ports(const std::vector<NetworkEntry>& entries) {
  const auto everywhere = [](const NetworkEntry& entry) {
    return entry.any_host && entry.cidrs.empty();
  };
  for (const bool some_ports : {false, true}) {
    Split& split = some_ports ? everywhere_some_ports_ : everywhere_;
    for (const bool denial : {false, true}) {
      (denial ? split.denials : split.others) = entries_that(entries, [&](auto& entry, auto& rule) {
        return everywhere(entry) && rule.ports.empty() != some_ports && is_denial(rule) == denial;
      });
    }
  }
  std::map<std::uint16_t, std::array<std::vector<std::uint32_t>, 3>> by_port;
  for (std::uint32_t id = 0; id < entries.size(); ++id) {
    const NetworkRule& rule = (*rules_)[entries[id].rule];
    for (std::uint16_t port : rule.ports) {
      auto& [all, denials, others] = by_port[port];
      all.push_back(id);
      if (everywhere(entries[id])) (is_denial(rule) ? denials : others).push_back(id);
    }
  }
  const auto bound = static_cast<std::uint32_t>(entries.size());
  for (auto& [port, lists] : by_port) {
    auto& [all, denials, others] = lists;
    ports_.push_back({port,
                      IdSet(std::move(all), bound),
                      {IdSet(std::move(denials), bound), IdSet(std::move(others), bound)}});
  }
}

void NetworkDecider::build_dns(const std::vector<NetworkEntry>& entries) {
  const auto speaks = [](const NetworkEntry& entry, const NetworkRule& rule) {
    if (!is_denial(rule)) return true;
    const bool about_dns =
        rule.ports.empty() || std::ranges::find(rule.ports, kDnsPort) != rule.ports.end();
    return about_dns && entry.cidrs.empty();
  };
  dns_ = entries_that(
      entries, [&](auto& entry, auto& rule) { return !entry.any_host && speaks(entry, rule); });
  dns_any_ = entries_that(entries, [&](auto& entry, auto& rule) {
    return entry.any_host && entry.cidrs.empty() && speaks(entry, rule);
  });
  dns_private_ = entries_that(entries, [&](auto& entry, auto& rule) {
    return entry.any_host && !is_denial(rule) &&
           std::ranges::any_of(entry.cidrs, reaches_beyond_public);
  });
}

void NetworkDecider::add_named(std::string_view name, GlobIndex::Match& match,
                               Selector& selector) const {
  if (name.empty()) return;
  match = names_.match(name);
  match.add_to(selector);
}

const NetworkDecider::PortSets* NetworkDecider::sets_of(std::uint16_t port) const {
  const auto found = std::ranges::lower_bound(ports_, port, {}, &PortSets::port);
  return found != ports_.end() && found->port == port ? &*found : nullptr;
}

Selector NetworkDecider::address_check(const IpAddress& address, Reach reach) const {
  Selector check(reach == Reach::kPublic ? &any_address_ : &any_address_denials_);
  check.add(networks_.find(address));
  if (address.is_v6()) {
    if (auto inner = embedded_ipv4(address)) check.add(denied_networks_.find(*inner));
  }
  return check;
}

std::optional<std::size_t> NetworkDecider::match(const ConnectFacts& facts, Reach reach) const {
  GlobIndex::Match names;
  Selector candidates;
  add_named(facts.name, names, candidates);
  candidates.add(hostless_networks_.find(facts.address));
  if (facts.address.is_v6()) {
    // Denials by name are among them too; the address is checked below.
    if (auto inner = embedded_ipv4(facts.address)) {
      candidates.add(hostless_networks_.find(*inner));
    }
  }
  everywhere_.add_to(candidates, reach);
  Selector ports(&any_port_);
  if (const PortSets* sets = sets_of(facts.port)) {
    sets->everywhere.add_to(candidates, reach);
    ports.add(&sets->all);
  }
  const std::array<Selector, 2> checks = {ports, address_check(facts.address, reach)};
  auto entry = first_candidate(candidates, checks);
  if (!entry) return {};
  return rule_of_[*entry];
}

bool NetworkDecider::names_host(std::size_t index, std::string_view name) const {
  GlobIndex::Match names;
  Selector named;
  add_named(name, names, named);
  return std::ranges::any_of(named.sets(), [&](const IdSet* set) {
    return std::ranges::any_of(set->ids(), [&](std::uint32_t id) { return rule_of_[id] == index; });
  });
}

bool NetworkDecider::permits_some_port(std::string_view name, const IpAddress& address) const {
  const Reach reach =
      classify(address) == AddressClass::kPublic ? Reach::kPublic : Reach::kDenialsOnly;
  GlobIndex::Match names;
  Selector candidates;
  add_named(name, names, candidates);
  candidates.add(hostless_networks_.find(address));
  everywhere_.add_to(candidates, reach);
  everywhere_some_ports_.add_to(candidates, reach);
  const std::array<Selector, 1> checks = {address_check(address, reach)};
  // A denial for some ports leaves the others.
  auto entry = first_candidate(candidates, checks, [&](std::uint32_t id) {
    const NetworkRule& rule = (*rules_)[rule_of_[id]];
    return !is_denial(rule) || rule.ports.empty();
  });
  return entry && !is_denial((*rules_)[rule_of_[*entry]]);
}

std::optional<std::size_t> NetworkDecider::match(const ConnectFacts& facts) const {
  const bool covered =
      facts.transport == Transport::kTcp && classify(facts.address) == AddressClass::kPublic;
  return match(facts, covered ? Reach::kPublic : Reach::kDenialsOnly);
}

std::optional<std::size_t> NetworkDecider::match(const DnsFacts& facts) const {
  GlobIndex::Match names;
  Selector candidates(&dns_any_);
  add_named(facts.name, names, candidates);
  Selector speaking(&dns_any_);
  speaking.add(&dns_);
  if (is_private_name(facts.name)) {
    candidates.add(&dns_private_);
    speaking.add(&dns_private_);
  }
  const std::array<Selector, 1> checks = {speaking};
  auto entry = first_candidate(candidates, checks);
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
  auto stopped = match(facts, Reach::kPublic);
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
    // Of a literal address, what the client asked for is the address.
    const std::string_view domain = facts.name.empty() ? std::string_view(address) : facts.name;
    message = render_message(
        outcome.message, std::array<MessageValue, 3>{
                             {{"RemoteAddr", address}, {"RemotePort", port}, {"Domain", domain}}});
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
        // A question has no port yet.
        render_message(outcome.message, std::array<MessageValue, 3>{{{"Domain", facts.name},
                                                                     {"RemoteAddr", facts.name},
                                                                     {"RemotePort", "any port"}}}));
  }
  return Verdict::deny(outcome.name,
                       fmt::format("rule \"{}\" denies {}", outcome.name, facts.name));
}

}  // namespace agentsh::policy
