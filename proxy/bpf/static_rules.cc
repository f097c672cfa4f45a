#include "proxy/bpf/static_rules.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

namespace agentsh::bpf {
namespace {

struct Prefix {
  bool v4 = true;
  std::array<std::uint8_t, 16> bytes{};
  int length = 0;

  // Networks sort before the networks inside them.
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

Prefix prefix_of(const Cidr& cidr) {
  return {cidr.network.is_v4(), cidr.network.bytes(), cidr.prefix};
}

bool contains(const Prefix& outer, const Prefix& inner) {
  const Cidr cidr{IpAddress::v6(outer.bytes), outer.length};
  return outer.v4 == inner.v4 && outer.length <= inner.length &&
         cidr.contains(IpAddress::v6(inner.bytes));
}

struct Range {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  StaticAnswer answer = StaticAnswer::kToProxy;
  std::uint64_t tag = 0;

  friend bool operator==(const Range&, const Range&) = default;
};

// Ports that nobody has answered yet, as disjoint ranges in order.
class OpenPorts {
 public:
  // Takes `first` to `last` out; returns the parts that were still open.
  std::vector<std::pair<std::uint16_t, std::uint16_t>> take(std::uint16_t first,
                                                            std::uint16_t last) {
    std::vector<std::pair<std::uint16_t, std::uint16_t>> taken;
    std::vector<std::pair<std::uint16_t, std::uint16_t>> left;
    for (const auto& [from, to] : open_) {
      const std::uint16_t low = std::max(from, first);
      const std::uint16_t high = std::min(to, last);
      if (low > high) {
        left.emplace_back(from, to);
        continue;
      }
      taken.emplace_back(low, high);
      if (from < low) left.emplace_back(from, static_cast<std::uint16_t>(low - 1));
      if (to > high) left.emplace_back(static_cast<std::uint16_t>(high + 1), to);
    }
    open_ = std::move(left);
    return taken;
  }
  bool empty() const { return open_.empty(); }

 private:
  std::vector<std::pair<std::uint16_t, std::uint16_t>> open_ = {{0, 65535}};
};

bool continues(const Range& before, const Range& after) {
  return before.answer == after.answer && before.tag == after.tag && before.last + 1 == after.first;
}

// First match per port over `rules`, which are in the policy's order. What goes to the proxy is
// left out: it is what a port without a range gets.
std::vector<Range> flatten(std::span<const StaticRule> rules,
                           const std::vector<std::size_t>& order) {
  OpenPorts open;
  std::vector<Range> ranges;
  for (const std::size_t index : order) {
    const StaticRule& rule = rules[index];
    for (const auto& [first, last] : open.take(rule.first_port, rule.last_port)) {
      if (rule.answer != StaticAnswer::kToProxy)
        ranges.push_back({first, last, rule.answer, rule.tag});
    }
    if (open.empty()) break;
  }
  std::ranges::sort(ranges, {}, &Range::first);
  std::vector<Range> merged;
  for (const Range& range : ranges) {
    if (!merged.empty() && continues(merged.back(), range)) {
      merged.back().last = range.last;
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

DenialEntry make_entry(const Prefix& prefix, std::span<const Range> ranges) {
  DenialEntry entry{};
  entry.key.prefix_length = static_cast<std::uint32_t>(prefix.length + (prefix.v4 ? 96 : 0));
  std::memcpy(entry.key.address, prefix.bytes.data(), sizeof entry.key.address);
  for (const Range& range :
       ranges.first(std::min<std::size_t>(ranges.size(), abi::kMaxPortRanges))) {
    entry.value.ranges[entry.value.count++] = {range.first, range.last,
                                               static_cast<std::uint32_t>(range.answer), range.tag};
  }
  return entry;
}

// A network on the way from the root to the current one.
struct Ancestor {
  Prefix prefix;
  std::vector<std::size_t> rules;  // Its own and those of its ancestors, in policy order.
  std::vector<Range> ranges;
};

std::vector<std::size_t> merge_orders(const std::vector<std::size_t>& a,
                                      const std::vector<std::size_t>& b) {
  std::vector<std::size_t> both;
  both.reserve(a.size() + b.size());
  std::ranges::merge(a, b, std::back_inserter(both));
  return both;
}

}  // namespace

CompiledDenials compile_denials(std::span<const StaticRule> rules) {
  std::map<Prefix, std::vector<std::size_t>> networks;
  // IPv4 lives inside ::/0 of the kernel's table; its own root keeps IPv6 rules away from it.
  networks[prefix_of({IpAddress::v4(0), 0})];
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].first_port <= rules[i].last_port)
      networks[prefix_of(rules[i].network)].push_back(i);
  }
  CompiledDenials compiled;
  std::vector<Ancestor> path;
  for (const auto& [prefix, own] : networks) {
    while (!path.empty() && !contains(path.back().prefix, prefix)) path.pop_back();
    static const std::vector<std::size_t> kNone;
    Ancestor here{prefix, merge_orders(path.empty() ? kNone : path.back().rules, own), {}};
    here.ranges = flatten(rules, here.rules);
    const bool same = !path.empty() && path.back().ranges == here.ranges;
    if (!same) {
      compiled.entries.push_back(make_entry(prefix, here.ranges));
      if (here.ranges.size() > abi::kMaxPortRanges) {
        compiled.ranges_left_out += here.ranges.size() - abi::kMaxPortRanges;
      }
    }
    path.push_back(std::move(here));
  }
  return compiled;
}

}  // namespace agentsh::bpf
