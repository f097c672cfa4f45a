#include "proxy/services/service_table.h"

#include "base/domain.h"
#include "proxy/services/request_path.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::services {
namespace {

constexpr std::string_view kScheme = "https://";

policy::GlobIndex index_of(const std::vector<policy::LocatedText>& paths) {
  std::vector<policy::GlobIndex::Entry> entries;
  for (const policy::LocatedText& path : paths) {
    // The loader has parsed it.
    if (auto glob = policy::Glob::parse(path.text, '/')) entries.push_back({std::move(*glob), 0});
  }
  return policy::GlobIndex(std::move(entries), 1);
}

}  // namespace

Service::Service(const policy::HttpService& declared) : declared_(declared) {
  std::string_view rest = declared_.upstream;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  if (const auto parts = split_host_port(rest.substr(0, slash), 443)) port_ = parts->port;
  base_path_ = rest.substr(slash);
  while (base_path_.ends_with('/')) base_path_.pop_back();
  for (const policy::HttpServiceRule& rule : declared_.rules) {
    rules_.push_back({&rule, index_of(rule.paths)});
  }
}

bool Service::matches(const Rule& rule, std::string_view method, std::string_view path) const {
  const auto& methods = rule.declared->methods;
  if (!methods.empty() && std::ranges::find(methods, method) == methods.end()) return false;
  return rule.declared->paths.empty() || !rule.paths.match(path).empty();
}

policy::Verdict Service::decide(std::string_view method, std::string_view target) const {
  if (method == "TRACE" || method == "TRACK") {
    return policy::Verdict::deny(kMethodRule, "TRACE shows a request's credentials.");
  }
  const auto judged = judged_path(target);
  if (!judged) {
    return policy::Verdict::deny(
        kPathRule, fmt::format("The path can be read in two ways: {}.", judged.error().what));
  }
  std::string_view path = *judged;
  if (path == base_path_) {
    path = "/";
  } else if (path.starts_with(base_path_) && path[base_path_.size()] == '/') {
    path.remove_prefix(base_path_.size());
  } else {
    return policy::Verdict::deny(
        kOutsideRule, fmt::format("The service is what lies under {}.", declared_.upstream));
  }
  for (const Rule& rule : rules_) {
    if (!matches(rule, method, path)) continue;
    const policy::HttpServiceRule& declared = *rule.declared;
    return policy::Verdict::from_rule(declared.decision, declared.name, declared.message)
        .with_approval_timeout(declared.timeout);
  }
  if (declared_.default_allow) return policy::Verdict::allow(kDefaultRule);
  return policy::Verdict::deny(kDefaultRule, "No rule of the service allows it.");
}

ServiceTable::ServiceTable(const std::vector<policy::HttpService>& declared) {
  for (const policy::HttpService& one : declared) {
    auto service = std::make_shared<const Service>(one);
    by_host_.emplace(one.host, service);
    for (const std::string& alias : one.aliases) by_host_.emplace(alias, service);
    services_.push_back(std::move(service));
  }
}

std::shared_ptr<const Service> ServiceTable::with_host(std::string_view host) const {
  const auto found = by_host_.find(host);
  return found == by_host_.end() ? nullptr : found->second;
}

std::shared_ptr<const Service> ServiceTable::with_name(std::string_view name) const {
  const auto found = std::ranges::find_if(
      services_, [name](const auto& service) { return service->name() == name; });
  return found == services_.end() ? nullptr : *found;
}

}  // namespace agentsh::services
