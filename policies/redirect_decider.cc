#include "policies/redirect_decider.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

namespace agentsh::policy {
namespace {

constexpr std::size_t kMostPorts = 64;

// Numbers of one to five digits in an expression that could be a port.
void collect_ports(std::string_view expression, std::set<unsigned>& ports) {
  while (!expression.empty() && ports.size() < kMostPorts) {
    unsigned port = 0;
    auto [end, error] =
        std::from_chars(expression.data(), expression.data() + expression.size(), port);
    if (error == std::errc{} && port > 0 && port <= 65535) ports.insert(port);
    const auto used = static_cast<std::size_t>(end - expression.data());
    expression.remove_prefix(used == 0 ? 1 : used);
  }
}

}  // namespace

RedirectDecider::RedirectDecider(const Policy& policy) : names_({}), connections_({}) {
  std::vector<Pattern> patterns;
  for (const DnsRedirectRule& rule : policy.dns_redirects) {
    patterns.push_back(*rule.match);
    auto redirect = std::make_shared<Redirect>();
    redirect->target = rule.resolve_to.to_string();
    redirect->audit_only = rule.visibility == Visibility::kAuditOnly;
    redirect->warn = rule.visibility == Visibility::kWarn;
    redirect->on_failure = rule.on_failure;
    name_targets_.push_back({rule.name, rule.message, std::move(redirect)});
  }
  names_ = PatternSet(std::move(patterns));
  patterns.clear();
  std::set<unsigned> ports = {80, 443};
  for (const ConnectRedirectRule& rule : policy.connect_redirects) {
    patterns.push_back(*rule.match);
    collect_ports(rule.match->text(), ports);
    auto redirect = std::make_shared<Redirect>();
    redirect->target = rule.redirect_to;
    redirect->unix_socket = rule.unix_socket;
    redirect->rewrite_sni = rule.rewrite_sni;
    redirect->audit_only = rule.visibility == Visibility::kAuditOnly;
    redirect->warn = rule.visibility == Visibility::kWarn;
    redirect->on_failure = rule.on_failure;
    connection_targets_.push_back({rule.name, rule.message, std::move(redirect)});
  }
  connections_ = PatternSet(std::move(patterns));
  for (unsigned port : ports) ports_.push_back(fmt::format(":{}", port));
}

const RedirectDecider::Target* RedirectDecider::for_name(std::string_view name) const {
  if (name_targets_.empty()) return nullptr;
  auto found = names_.first_found_in(name);
  return found ? &name_targets_[*found] : nullptr;
}

const RedirectDecider::Target* RedirectDecider::for_connection(const ConnectFacts& facts) const {
  if (connection_targets_.empty() || facts.transport != Transport::kTcp) return nullptr;
  const std::string destination = facts.name.empty()
                                      ? Endpoint{facts.address, facts.port}.to_string()
                                      : fmt::format("{}:{}", facts.name, facts.port);
  auto found = connections_.first_found_in(destination);
  return found ? &connection_targets_[*found] : nullptr;
}

const RedirectDecider::Target* RedirectDecider::for_some_port(std::string_view name) const {
  if (connection_targets_.empty()) return nullptr;
  for (const std::string& port : ports_) {
    auto found = connections_.first_found_in(std::string(name) + port);
    if (found) return &connection_targets_[*found];
  }
  return nullptr;
}

}  // namespace agentsh::policy
