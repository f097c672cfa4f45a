#include "proxy/gateway/routing.h"

#include "proxy/gateway/model_glob.h"

#include <algorithm>

namespace agentsh::gateway {

void UpstreamHealth::succeeded(std::size_t upstream) {
  State& state = (*states_.lock())[upstream];
  state.in_a_row = 0;
  state.avoid_until = {};
}

void UpstreamHealth::failed(std::size_t upstream, Time now) {
  auto states = states_.lock();
  State& state = (*states)[upstream];
  ++state.failures;
  if (++state.in_a_row >= kFailures) state.avoid_until = now + kAvoidFor;
}

void UpstreamHealth::resting(std::size_t upstream, std::chrono::seconds time, Time now) {
  auto states = states_.lock();
  State& state = (*states)[upstream];
  state.avoid_until = std::max(state.avoid_until, now + std::min(time, kLongestRest));
}

bool UpstreamHealth::avoided(std::size_t upstream, Time now) const {
  return (*states_.lock())[upstream].avoid_until > now;
}

std::uint64_t UpstreamHealth::failures(std::size_t upstream) const {
  return (*states_.lock())[upstream].failures;
}

const Route* RouteTable::find(std::string_view path, std::string_view model) const {
  const auto found = std::ranges::find_if(routes_, [&](const Route& route) {
    return path.starts_with(route.path_prefix) && allows_model(route.models, model);
  });
  return found == routes_.end() ? nullptr : &*found;
}

std::vector<std::size_t> order_of(const Route& route, const UpstreamHealth& health,
                                  UpstreamHealth::Time now, std::uint32_t draw) {
  std::vector<Route::Choice> sharing;
  std::vector<std::size_t> order;
  std::vector<std::size_t> later;
  unsigned total = 0;
  for (const Route::Choice& choice : route.choices) {
    if (choice.weight == 0) continue;
    if (health.avoided(choice.upstream, now)) {
      later.push_back(choice.upstream);
      continue;
    }
    total += choice.weight;
    sharing.push_back(choice);
  }
  // The first by chance; the others that share follow in their order.
  if (total > 0) {
    unsigned point = draw % total;
    auto first = sharing.begin();
    for (; point >= first->weight; ++first) point -= first->weight;
    std::rotate(sharing.begin(), first, first + 1);
  }
  for (const Route::Choice& choice : sharing) order.push_back(choice.upstream);
  for (const Route::Choice& choice : route.choices) {
    if (choice.weight != 0) continue;
    (health.avoided(choice.upstream, now) ? later : order).push_back(choice.upstream);
  }
  order.insert(order.end(), later.begin(), later.end());
  return order;
}

std::string join_path(std::string_view base, std::string_view path) {
  while (base.ends_with('/')) base.remove_suffix(1);
  // The base's last segment may be the path's first.
  const std::size_t slash = base.rfind('/');
  if (slash != std::string_view::npos) {
    const std::string_view last = base.substr(slash);
    if (path.starts_with(last) &&
        (path.size() == last.size() || path[last.size()] == '/' || path[last.size()] == '?')) {
      base.remove_suffix(last.size());
    }
  }
  return std::string(base) + std::string(path);
}

}  // namespace agentsh::gateway
