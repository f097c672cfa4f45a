// The http_services of one policy, compiled: which service a host or a name is, and what its rules
// say of a request.
//
// Immutable; any thread.
#pragma once

#include "policies/glob_index.h"
#include "policies/model.h"
#include "policies/verdict.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::services {

// Names of decisions that no rule of a service made.
inline constexpr std::string_view kPathRule = "http-service-path";
inline constexpr std::string_view kMethodRule = "http-service-method";
inline constexpr std::string_view kOutsideRule = "http-service-outside-upstream";
inline constexpr std::string_view kDefaultRule = "http-service-default";

class Service {
 public:
  explicit Service(const policy::HttpService& declared);

  const policy::HttpService& declared() const { return declared_; }
  const std::string& name() const { return declared_.name; }
  const std::string& host() const { return declared_.host; }
  std::uint16_t port() const { return port_; }
  // Of the upstream's URL, without a slash at its end.
  const std::string& base_path() const { return base_path_; }

  // The first rule that matches, else the default. `target` as on the wire, for the upstream.
  policy::Verdict decide(std::string_view method, std::string_view target) const;

 private:
  struct Rule {
    const policy::HttpServiceRule* declared;
    policy::GlobIndex paths;
  };
  bool matches(const Rule& rule, std::string_view method, std::string_view path) const;

  policy::HttpService declared_;
  std::uint16_t port_ = 443;
  std::string base_path_;
  std::vector<Rule> rules_;
};

class ServiceTable {
 public:
  explicit ServiceTable(const std::vector<policy::HttpService>& declared);

  bool empty() const { return services_.empty(); }
  const std::vector<std::shared_ptr<const Service>>& services() const { return services_; }
  // Null when there is none. Hosts are canonical, aliases included.
  std::shared_ptr<const Service> with_host(std::string_view host) const;
  std::shared_ptr<const Service> with_name(std::string_view name) const;

 private:
  std::vector<std::shared_ptr<const Service>> services_;
  std::map<std::string, std::shared_ptr<const Service>, std::less<>> by_host_;
};

}  // namespace agentsh::services
