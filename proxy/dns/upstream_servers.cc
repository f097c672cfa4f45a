#include "proxy/dns/upstream_servers.h"

#include <algorithm>
#include <chrono>

namespace agentsh::dns {
namespace {

constexpr int kMaxDoublings = 6;
constexpr auto kLongestPause = std::chrono::seconds(60);
// Servers come and go with resolv.conf; their records need not stay.
constexpr std::size_t kMaxTroubles = 64;

}  // namespace

std::vector<Endpoint> UpstreamServers::in_order(TimePoint now) {
  const std::vector<Endpoint> servers = fixed_.empty() ? file_.get(now)->servers : fixed_;
  std::vector<Endpoint> order;
  std::vector<Endpoint> paused;
  for (const Endpoint& server : servers) {
    const auto trouble = troubles_.find(server);
    const bool ready = trouble == troubles_.end() || now >= trouble->second.until;
    (ready ? order : paused).push_back(server);
  }
  order.insert(order.end(), paused.begin(), paused.end());
  return order;
}

void UpstreamServers::failed(const Endpoint& server, TimePoint now) {
  if (troubles_.size() >= kMaxTroubles) troubles_.clear();
  Trouble& trouble = troubles_[server];
  const auto pause = std::chrono::seconds(1 << std::min(trouble.failures, kMaxDoublings));
  ++trouble.failures;
  trouble.until = now + std::min<std::chrono::seconds>(pause, kLongestPause);
}

}  // namespace agentsh::dns
