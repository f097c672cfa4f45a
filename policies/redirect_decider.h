// dns_redirects and connect_redirects, compiled. The first rule whose expression is found in the
// host name, or in `host:port` ("[v6]:port" for an address), decides.
//
// Threads: immutable once built; any thread.
#pragma once

#include "policies/facts.h"
#include "policies/model.h"
#include "policies/pattern.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

class RedirectDecider {
 public:
  struct Target {
    std::string rule;
    std::string message;
    std::shared_ptr<const Redirect> redirect;
  };

  RedirectDecider() : names_({}), connections_({}) {}
  explicit RedirectDecider(const Policy& policy);

  // Null when no rule matches. The target belongs to the decider.
  const Target* for_name(std::string_view name) const;
  const Target* for_connection(const ConnectFacts& facts) const;
  // Would a connection to `name` be redirected at some port? Asked of the ports that the
  // expressions spell out, and of 80 and 443.
  const Target* for_some_port(std::string_view name) const;

 private:
  PatternSet names_;
  std::vector<Target> name_targets_;
  PatternSet connections_;
  std::vector<Target> connection_targets_;
  std::vector<std::string> ports_;  // ":443" ...
};

}  // namespace agentsh::policy
