// network_rules, compiled: connections and DNS questions.
//
// A rule matches a connection when all of its selectors do: `domains` match the name only (a lone
// `*` or `**`, or no domains, is any host, unnamed addresses included; for an address among the
// domains see network_entries.h), `ports`, and `cidrs` the address. The first rule that matches
// decides. Two guards on rules that are not denials and have no `cidrs`: they do not cover
// addresses that are not public (base/ip.h), so that a name that resolves to 127.0.0.1 or to a
// metadata service gains nothing, and they do not cover UDP.
//
// A DNS question is judged by the name alone. The first rule that matches the name and has
// something to say decides:
//   - a denial without cidrs, whose ports are none or include 53, refuses the name;
//   - any other decision with domains, or without domains and cidrs, makes it resolvable, whatever
//     the ports (the connection is judged again, with its address);
//   - other rules say nothing: a denial for some ports or networks leaves the rest, and rules with
//     cidrs alone are about addresses. Only names that no public zone can own (one label,
//     .internal, .local, .home.arpa ...) become resolvable by a rule for networks that are not
//     public.
// With no such rule the name is refused, because asking for it would carry it out.
//
// Threads: immutable once built; any thread. No decision takes a lock or allocates, but for the
// verdict's texts.
#pragma once

#include "policies/cidr_index.h"
#include "policies/facts.h"
#include "policies/glob_index.h"
#include "policies/model.h"
#include "policies/network_entries.h"

#include <optional>
#include <vector>

namespace agentsh::policy {

class NetworkDecider {
 public:
  NetworkDecider() = default;
  // Globs that do not parse are reported and match nothing. The rules must outlive the decider.
  NetworkDecider(const std::vector<NetworkRule>& rules, Diagnostics& problems);

  // The index of the rule that decides; nothing: the default denial.
  std::optional<std::size_t> match(const ConnectFacts& facts) const;
  std::optional<std::size_t> match(const DnsFacts& facts) const;

  Verdict verdict(const ConnectFacts& facts) const;
  Verdict verdict(const DnsFacts& facts) const;

  // Do the domains of rule `index` name this host, rather than any?
  bool names_host(std::size_t index, std::string_view name) const;
  // Is a connection to `name` at `address` permitted (or approvable) at some port?
  bool permits_some_port(std::string_view name, const IpAddress& address) const;

 private:
  // What a verdict takes from its rule, close together: with many rules each is cold memory.
  struct Outcome {
    std::string name;
    std::string message;
    std::optional<nanoseconds> timeout;
    Decision decision;
    bool tls_passthrough;
    bool template_message;
    bool about_dns;  // `ports` has 53.
  };
  // Rules without cidrs: those that cover an address, and those that cover any.
  enum class Reach { kPublic, kDenialsOnly };

  // By what a rule without domains is found: its networks, else its ports, else always.
  struct Split {
    IdSet denials;
    IdSet others;
    void add_to(Selector& selector, Reach reach) const {
      selector.add(&denials);
      if (reach == Reach::kPublic) selector.add(&others);
    }
  };
  struct PortSets {
    std::uint16_t port;
    IdSet all;         // Every entry with this port.
    Split everywhere;  // Those for any host and address.
  };

  void build(std::vector<NetworkEntry> entries);
  void build_ports(const std::vector<NetworkEntry>& entries);
  void build_dns(const std::vector<NetworkEntry>& entries);
  template <class Condition>
  IdSet entries_that(const std::vector<NetworkEntry>& entries, Condition condition) const;
  // The entries that name the host.
  void add_named(std::string_view name, GlobIndex::Match& match, Selector& selector) const;
  const PortSets* sets_of(std::uint16_t port) const;
  Selector address_check(const IpAddress& address, Reach reach) const;
  std::optional<std::size_t> match(const ConnectFacts& facts, Reach reach) const;
  // Why an address that is not public, or UDP, needs a rule with cidrs; empty for others. Ends with
  // the rule, in parentheses, that would allow it but has none.
  std::string guard_note(const ConnectFacts& facts) const;
  std::string denial_message(const Outcome& outcome, const ConnectFacts& facts) const;

  const std::vector<NetworkRule>* rules_ = nullptr;
  std::vector<Outcome> outcomes_;       // By rule.
  std::vector<std::uint32_t> rule_of_;  // By entry.
  GlobIndex names_;
  IdSet any_port_;
  std::vector<PortSets> ports_;  // Sorted.
  IdSet any_address_;
  IdSet any_address_denials_;
  CidrIndex networks_;
  CidrIndex hostless_networks_;  // Of entries for any host.
  CidrIndex denied_networks_;    // For IPv4 addresses that are embedded in IPv6 ones.
  Split everywhere_;             // Any host and address, and any port ...
  Split everywhere_some_ports_;  // ... or some.
  IdSet dns_;                    // Entries that say something about the names they name,
  IdSet dns_any_;                // about every name,
  IdSet dns_private_;            // and about every name that no public zone can own.
};

}  // namespace agentsh::policy
