#include "policies/lint_checks.h"
#include "policies/network_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace agentsh::policy::lint_checks {
namespace {

// What an unnamed connection could be after: addresses that hand out credentials or reach the host.
constexpr std::string_view kSensitiveAddresses[] = {
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16",
    "192.0.0.192",     "fd00:ec2::254", "fd20:ce::254",    "fe80::1"};

std::string key_of(std::size_t rule) {
  return fmt::format("network_rules[{}]", rule);
}

bool permits(Decision decision) {
  return decision != Decision::kDeny;
}

// A rule with its patterns parsed.
struct ParsedRule {
  bool any_host = false;
  std::vector<Glob> names;
  std::vector<Cidr> cidrs;
};

std::vector<ParsedRule> parse(const Policy& expanded) {
  Diagnostics unused("");
  std::vector<ParsedRule> rules(expanded.network_rules.size());
  for (NetworkEntry& entry : network_entries(expanded.network_rules, unused)) {
    ParsedRule& rule = rules[entry.rule];
    // The entry for addresses among the domains is any_host with cidrs of its own.
    const bool addresses =
        entry.any_host && entry.cidrs != expanded.network_rules[entry.rule].cidrs;
    if (addresses) continue;
    rule = {entry.any_host, std::move(entry.names), std::move(entry.cidrs)};
  }
  return rules;
}

bool cidrs_covered(const std::vector<Cidr>& wider, const std::vector<Cidr>& narrower) {
  return std::ranges::all_of(narrower, [&](const Cidr& inner) {
    return std::ranges::any_of(wider, [&](const Cidr& outer) {
      return outer.contains(inner.network) && outer.prefix <= inner.prefix;
    });
  });
}

bool ports_covered(const NetworkRule& wider, const NetworkRule& narrower) {
  if (wider.ports.empty()) return true;
  return !narrower.ports.empty() && std::ranges::all_of(narrower.ports, [&](std::uint16_t port) {
    return std::ranges::find(wider.ports, port) != wider.ports.end();
  });
}

class NetworkLint {
 public:
  NetworkLint(const Policy& written, const CompiledPolicy& compiled, Findings& findings)
      : rules_(written.network_rules),
        expanded_(compiled.policy().network_rules),
        compiled_(compiled),
        parsed_(parse(compiled.policy())),
        findings_(findings) {}

  void run() {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      check_message(rules_[i], key_of(i), {"RemoteAddr", "RemotePort", "Domain"}, findings_);
      check_domains(i);
      check_reach(i);
      check_bypass(i);
      if (i < kMostCompared) check_shadow(i);
    }
    check_sensitive();
  }

 private:
  void check_domains(std::size_t index) {
    const NetworkRule& rule = rules_[index];
    for (std::size_t j = 0; j < rule.domains.size(); ++j) {
      const LocatedText& domain = rule.domains[j];
      const std::string key = fmt::format("{}.domains[{}]", key_of(index), j);
      if (domain.text.find("${") != std::string::npos) continue;
      auto glob = Glob::parse(domain.text, '.');
      if (glob && glob->is_lone_star()) {
        findings_.note("lone-star", domain.where, key,
                       "means any host, with or without a dot, and addresses without a name");
      } else if (!IpAddress::parse(domain.text)) {
        check_domain(domain, key);
      }
    }
  }

  void check_domain(const LocatedText& domain, const std::string& key) {
    std::string_view text = domain.text;
    const auto never = [&](std::string_view why, std::string suggestion) {
      findings_.add("never-matches", domain.where, key,
                    fmt::format("\"{}\" matches no host name: {}", text, why),
                    std::move(suggestion));
    };
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
      const std::string_view rest = text.substr(scheme + 3);
      return never("it is a URL", std::string(rest.substr(0, rest.find_first_of("/:"))));
    }
    if (const std::size_t end = text.find_first_of("/:"); end != std::string_view::npos) {
      return never(text[end] == ':' ? "ports are listed under ports" : "it has a path",
                   std::string(text.substr(0, end)));
    }
    if (text.starts_with('.')) return never("names begin with no dot", "*" + std::string(text));
    if (text.ends_with('.')) {
      return never("names are compared without their final dot",
                   std::string(text.substr(0, text.size() - 1)));
    }
    if (text.contains(' ')) return never("names have no blanks", "");
    const bool numbers = text.find_first_not_of("0123456789.*?") == std::string_view::npos &&
                         text.find_first_of("0123456789") != std::string_view::npos;
    if (numbers) return never("addresses are matched by cidrs", "");
  }

  void check_reach(std::size_t index) {
    const NetworkRule& rule = rules_[index];
    if (!permits(rule.decision) || !parsed_[index].any_host || !rule.cidrs.empty()) return;
    const bool dns_only = rule.ports == std::vector<std::uint16_t>{53};
    if (dns_only) {
      findings_.add("dns-wide-open", rule.where, key_of(index),
                    "lets every name be resolved although no connection to it may be allowed: "
                    "names that are allowed resolve without this rule");
    } else if (rule.decision == Decision::kApprove) {
      findings_.note("dns-wide-open", rule.where, key_of(index),
                     "every name is resolved before anybody is asked, so that a question can carry "
                     "data out");
    }
  }

  // A denial by name that stands beside an allow for the same address without a name.
  void check_bypass(std::size_t index) {
    const NetworkRule& denial = rules_[index];
    if (denial.decision != Decision::kDeny || parsed_[index].any_host || !denial.cidrs.empty()) {
      return;
    }
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const NetworkRule& other = rules_[i];
      const bool opens = permits(other.decision) && other.decision != Decision::kApprove &&
                         parsed_[i].any_host && reaches_public(i);
      if (!opens || !(ports_covered(denial, other) || ports_covered(other, denial))) continue;
      findings_.add("domain-bypass", denial.where, key_of(index),
                    fmt::format("denies a name only: rule \"{}\" (line {}) allows the same address "
                                "without one",
                                other.name, other.where.line));
      return;
    }
  }

  bool reaches_public(std::size_t index) const {
    const auto& cidrs = parsed_[index].cidrs;
    return cidrs.empty() || std::ranges::any_of(cidrs, [](const Cidr& cidr) {
             return classify(cidr.network) == AddressClass::kPublic || cidr.prefix == 0;
           });
  }

  enum class Cover { kNone, kPublicAddresses, kAll };

  void check_shadow(std::size_t index) {
    for (std::size_t i = 0; i < index; ++i) {
      const Cover cover = covers(i, index);
      if (cover == Cover::kNone) continue;
      const NetworkRule& earlier = rules_[i];
      const bool same = earlier.decision == rules_[index].decision;
      findings_.add("shadowed-rule", rules_[index].where, key_of(index),
                    fmt::format("rule \"{}\" at line {} decides all of it first{}", earlier.name,
                                earlier.where.line,
                                cover == Cover::kPublicAddresses ? ", for every public address"
                                : same                           ? " (the same way)"
                                                                 : ""));
      return;
    }
  }

  Cover covers(std::size_t wider, std::size_t narrower) const {
    const ParsedRule& outer = parsed_[wider];
    const ParsedRule& inner = parsed_[narrower];
    if (!ports_covered(expanded_[wider], expanded_[narrower])) return Cover::kNone;
    const bool hosts = outer.any_host || (!inner.any_host && !inner.names.empty() &&
                                          all_covered(outer.names, inner.names));
    if (!hosts) return Cover::kNone;
    if (!outer.cidrs.empty()) {
      const bool within = !inner.cidrs.empty() && cidrs_covered(outer.cidrs, inner.cidrs);
      return within ? Cover::kAll : Cover::kNone;
    }
    // Without cidrs a rule that is no denial leaves addresses that are not public, and UDP.
    if (!permits(expanded_[wider].decision)) return Cover::kAll;
    if (!inner.cidrs.empty()) return Cover::kNone;
    return permits(expanded_[narrower].decision) ? Cover::kAll : Cover::kPublicAddresses;
  }

  void check_sensitive() {
    std::set<std::size_t> told;
    for (std::string_view text : kSensitiveAddresses) {
      const ConnectFacts facts{.address = *IpAddress::parse(text), .port = 80};
      auto index = compiled_.network().match(facts);
      if (!index || !permits(rules_[*index].decision) || !told.insert(*index).second) continue;
      findings_.add("metadata-reachable", rules_[*index].where, key_of(*index) + ".cidrs",
                    fmt::format("covers {}, {}: deny it in a rule before this one", text,
                                classify(facts.address) == AddressClass::kMetadata
                                    ? "a cloud metadata service that hands out credentials"
                                    : "a link-local address"));
    }
  }

  const std::vector<NetworkRule>& rules_;
  const std::vector<NetworkRule>& expanded_;
  const CompiledPolicy& compiled_;
  std::vector<ParsedRule> parsed_;
  Findings& findings_;
};

// A dot that is neither escaped nor in a class nor followed by a repetition.
bool has_bare_dot(std::string_view expression) {
  bool in_class = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\') {
      ++i;
    } else if (c == '[') {
      in_class = true;
    } else if (c == ']') {
      in_class = false;
    } else if (c == '.' && !in_class) {
      const char next = i + 1 < expression.size() ? expression[i + 1] : '\0';
      if (next != '*' && next != '+' && next != '?' && next != '{') return true;
    }
  }
  return false;
}

void check_expression(const Pattern& pattern, SourcePosition where, const std::string& key,
                      Findings& findings) {
  const std::string& text = pattern.text();
  if (!text.starts_with('^') && !text.starts_with("\\A") && !text.starts_with("(?i)^")) {
    findings.add("loose-expression", where, key,
                 fmt::format("\"{}\" is found inside longer names too, such as \"not-...\": begin "
                             "it with ^",
                             text));
  } else if (!text.ends_with('$') && !text.ends_with("\\z") && !text.ends_with(":")) {
    findings.add("loose-expression", where, key,
                 fmt::format("\"{}\" is found in longer names too, such as \"....evil.example\": "
                             "end it with $",
                             text));
  }
  if (has_bare_dot(text)) {
    findings.add("loose-expression", where, key,
                 fmt::format("\"{}\" has a dot that stands for any character: write \\.", text));
  }
}

}  // namespace

void check_network(const Policy& written, const CompiledPolicy& compiled, Findings& findings) {
  NetworkLint(written, compiled, findings).run();
}

void check_redirects(const Policy& written, Findings& findings) {
  for (std::size_t i = 0; i < written.network_rules.size(); ++i) {
    const NetworkRule& rule = written.network_rules[i];
    if (rule.decision == Decision::kRedirect && written.connect_redirects.empty()) {
      findings.add("redirect-nowhere", rule.where, fmt::format("network_rules[{}]", i),
                   "denies: there are no connect_redirects that say where to");
    }
  }
  for (std::size_t i = 0; i < written.dns_redirects.size(); ++i) {
    const DnsRedirectRule& rule = written.dns_redirects[i];
    check_expression(*rule.match, rule.where, fmt::format("dns_redirects[{}].match", i), findings);
  }
  for (std::size_t i = 0; i < written.connect_redirects.size(); ++i) {
    const ConnectRedirectRule& rule = written.connect_redirects[i];
    check_expression(*rule.match, rule.where, fmt::format("connect_redirects[{}].match", i),
                     findings);
  }
}

}  // namespace agentsh::policy::lint_checks
