// Which upstreams a request may go to, and in which order they are tried.
//
// A route names models or paths and a list of upstreams. Those with a weight share the load; the
// others are tried, in the order of the list, when those before them fail. What failed lately is
// tried last. No I/O.
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

struct Route {
  struct Choice {
    std::size_t upstream = 0;  // Index.
    unsigned weight = 0;       // 0: only when others fail.
  };
  std::vector<std::string> models;  // Globs; empty: any.
  std::string path_prefix;          // Empty: any.
  std::vector<Choice> choices;
};

// How upstreams have been doing.
class UpstreamHealth {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr unsigned kFailures = 3;              // In a row, until it is avoided.
  static constexpr std::chrono::seconds kAvoidFor{10};  // Then it is tried again.
  static constexpr std::chrono::seconds kLongestRest{60};

  explicit UpstreamHealth(std::size_t upstreams) : states_(std::vector<State>(upstreams)) {}

  void succeeded(std::size_t upstream);
  // It could not be reached, or said that it is overloaded.
  void failed(std::size_t upstream, Time now);
  // It said when to come again.
  void resting(std::size_t upstream, std::chrono::seconds time, Time now);
  bool avoided(std::size_t upstream, Time now) const;
  std::uint64_t failures(std::size_t upstream) const;

 private:
  struct State {
    unsigned in_a_row = 0;
    std::uint64_t failures = 0;
    Time avoid_until{};
  };
  mutable LockGuarded<std::vector<State>> states_;
};

class RouteTable {
 public:
  explicit RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {}

  // The first route that fits. Null: there is none.
  const Route* find(std::string_view path, std::string_view model) const;

 private:
  std::vector<Route> routes_;
};

// Upstreams in the order in which they are to be tried. `draw`: a random number; it matters where
// several share the load.
std::vector<std::size_t> order_of(const Route& route, const UpstreamHealth& health,
                                  UpstreamHealth::Time now, std::uint32_t draw);

// A client's path on an upstream with a base path: "/v1" + "/v1/chat" is "/v1/chat", "/openai" +
// "/v1/chat" is "/openai/v1/chat".
std::string join_path(std::string_view base, std::string_view path);

}  // namespace agentsh::gateway
