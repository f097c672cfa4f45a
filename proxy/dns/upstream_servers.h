// The upstream resolvers, in the order to try them: those that answer first, in the order they are
// configured; those that failed lately last, until their pause ends.
//
// Threads: of its client. The list comes from the configuration, or from the host's resolv.conf,
// which is read again when it changes.
#pragma once

#include "base/ip.h"
#include "proxy/dns/answer.h"
#include "proxy/dns/resolver_config.h"
#include "proxy/dns/watched_file.h"

#include <map>
#include <string>
#include <vector>

namespace agentsh::dns {

class UpstreamServers {
 public:
  // With `fixed` servers the file is not read.
  UpstreamServers(std::vector<Endpoint> fixed, std::string resolv_conf)
      : fixed_(std::move(fixed)), file_(fixed_.empty() ? std::move(resolv_conf) : std::string()) {}

  std::vector<Endpoint> in_order(TimePoint now);

  // A server that failed pauses for 1 s, doubled with each failure in a row, at most 1 min.
  void failed(const Endpoint& server, TimePoint now);
  void answered(const Endpoint& server) { troubles_.erase(server); }

 private:
  struct Trouble {
    int failures = 0;
    TimePoint until{};
  };
  const std::vector<Endpoint> fixed_;
  WatchedFile<ResolverConfig> file_;
  std::map<Endpoint, Trouble> troubles_;
};

}  // namespace agentsh::dns
