#include "proxy/bpf/static_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>

namespace agentsh::bpf {
namespace {

struct Answer {
  StaticAnswer answer = StaticAnswer::kToProxy;
  std::uint64_t tag = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

// What the policy means: the first rule that contains address and port.
Answer by_policy(std::span<const StaticRule> rules, const Endpoint& to) {
  for (const StaticRule& rule : rules) {
    if (!rule.network.contains(to.address)) continue;
    if (to.port < rule.first_port || to.port > rule.last_port) continue;
    if (rule.answer == StaticAnswer::kToProxy) return {};
    return {rule.answer, rule.tag};
  }
  return {};
}

bool covers(const abi::DenialKey& key, const IpAddress& address) {
  for (std::uint32_t bit = 0; bit < key.prefix_length; ++bit) {
    const std::uint8_t mask = static_cast<std::uint8_t>(0x80 >> (bit % 8));
    if ((key.address[bit / 8] ^ address.bytes()[bit / 8]) & mask) return false;
  }
  return true;
}

// What the kernel does: the longest prefix, then its port ranges.
Answer by_table(const CompiledDenials& compiled, const Endpoint& to) {
  const DenialEntry* best = nullptr;
  for (const DenialEntry& entry : compiled.entries) {
    if (!covers(entry.key, to.address)) continue;
    if (best == nullptr || entry.key.prefix_length > best->key.prefix_length) best = &entry;
  }
  if (best == nullptr) return {};
  for (std::uint32_t i = 0; i < best->value.count; ++i) {
    const abi::PortRange& range = best->value.ranges[i];
    if (to.port >= range.first && to.port <= range.last) {
      return {static_cast<StaticAnswer>(range.answer), range.tag};
    }
  }
  return {};
}

StaticRule rule(const char* network, std::uint16_t first, std::uint16_t last, StaticAnswer answer,
                std::uint64_t tag) {
  return {*Cidr::parse(network), first, last, answer, tag};
}

TEST(StaticRules, FirstMatchWins) {
  const std::vector<StaticRule> rules = {
      rule("10.1.0.0/16", 443, 443, StaticAnswer::kToProxy, 0),
      rule("10.0.0.0/8", 0, 1023, StaticAnswer::kNotPermitted, 1),
      rule("10.0.0.0/8", 0, 65535, StaticAnswer::kRefused, 2),
      rule("10.1.1.0/24", 0, 65535, StaticAnswer::kNotPermitted, 3),
  };
  const CompiledDenials compiled = compile_denials(rules);
  EXPECT_EQ(compiled.ranges_left_out, 0u);
  for (const char* to :
       {"10.1.1.1:443", "10.1.1.1:442", "10.1.1.1:8080", "10.2.0.1:443", "11.0.0.1:80",
        "10.255.255.255:65535", "[::]:80", "[::ffff:10.0.0.1]:22"}) {
    const Endpoint endpoint = *Endpoint::parse(to);
    EXPECT_EQ(by_table(compiled, endpoint), by_policy(rules, endpoint)) << to;
  }
}

TEST(StaticRules, Ipv6RulesDoNotReachIpv4) {
  const std::vector<StaticRule> rules = {rule("::/0", 0, 65535, StaticAnswer::kNotPermitted, 1)};
  const CompiledDenials compiled = compile_denials(rules);
  EXPECT_EQ(by_table(compiled, *Endpoint::parse("8.8.8.8:443")), Answer{});
  EXPECT_EQ(by_table(compiled, *Endpoint::parse("[2001:db8::1]:443")),
            (Answer{StaticAnswer::kNotPermitted, 1}));
}

TEST(StaticRules, LeavesWhatFindsNoRoomToTheProxy) {
  std::vector<StaticRule> rules;
  for (std::uint16_t port = 100; port < 120; port = static_cast<std::uint16_t>(port + 2)) {
    rules.push_back(rule("10.0.0.0/8", port, port, StaticAnswer::kNotPermitted, port));
  }
  const CompiledDenials compiled = compile_denials(rules);
  EXPECT_EQ(compiled.ranges_left_out, 2u);
  for (std::uint16_t port = 99; port < 121; ++port) {
    const Endpoint to{*IpAddress::parse("10.0.0.1"), port};
    const Answer answer = by_table(compiled, to);
    EXPECT_TRUE(answer == by_policy(rules, to) || answer == Answer{}) << port;
  }
}

TEST(StaticRules, IgnoresAnEmptyPortRange) {
  const std::vector<StaticRule> rules = {rule("10.0.0.0/8", 5, 4, StaticAnswer::kNotPermitted, 1)};
  EXPECT_EQ(by_table(compile_denials(rules), *Endpoint::parse("10.0.0.1:5")), Answer{});
}

// Random policies over a small space, so that networks and ports overlap.
TEST(StaticRules, AgreesWithThePolicyOnRandomRules) {
  std::mt19937 random(20261124);
  const auto below = [&](std::uint32_t n) {
    return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random);
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<StaticRule> rules;
    for (std::uint32_t i = 0, n = 1 + below(12); i < n; ++i) {
      StaticRule each;
      const int length = static_cast<int>(below(33));
      if (below(4) == 0) {
        std::array<std::uint8_t, 16> bytes{};
        const bool whole = below(2) == 0;
        bytes[0] = whole ? 0 : 0x20;
        each.network = {IpAddress::v6(bytes), whole ? 0 : 3};
      } else {
        const std::uint32_t mask = length == 0 ? 0 : ~0u << (32 - length);
        each.network = {IpAddress::v4((0x0a000000u | below(4)) & mask), length};
      }
      each.first_port = static_cast<std::uint16_t>(below(8));
      each.last_port = static_cast<std::uint16_t>(each.first_port + below(4));
      each.answer = static_cast<StaticAnswer>(below(3));
      each.tag = i + 1;
      rules.push_back(each);
    }
    const CompiledDenials compiled = compile_denials(rules);
    for (int probe = 0; probe < 100; ++probe) {
      Endpoint to;
      to.port = static_cast<std::uint16_t>(below(12));
      to.address = below(4) == 0 ? *IpAddress::parse(below(2) ? "2001::1" : "::2")
                                 : IpAddress::v4(0x0a000000u | below(5));
      const Answer table = by_table(compiled, to);
      if (compiled.ranges_left_out > 0 && table == Answer{}) continue;
      ASSERT_EQ(table, by_policy(rules, to)) << "round " << round << " " << to.to_string();
    }
  }
}

TEST(StaticRules, CompilesTenThousandRulesQuickly) {
  std::vector<StaticRule> rules;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    rules.push_back({{IpAddress::v4(i << 12), 20}, 0, 65535, StaticAnswer::kNotPermitted, i});
  }
  EXPECT_EQ(compile_denials(rules).entries.size(), 10001u);
}

}  // namespace
}  // namespace agentsh::bpf
