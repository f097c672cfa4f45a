// Routes: which fits, in which order its upstreams are tried, where a path leads.
#include "proxy/gateway/routing.h"

#include <gtest/gtest.h>

#include <map>

namespace agentsh::gateway {
namespace {

using namespace std::chrono_literals;
using Order = std::vector<std::size_t>;

const UpstreamHealth::Time kNow{1h};

TEST(RouteTable, TheFirstThatFits) {
  const RouteTable table({{.models = {"gpt-*"}, .choices = {{0, 1}}},
                          {.path_prefix = "/v1/embeddings", .choices = {{1, 1}}},
                          {.models = {"claude-*", "gemini-*"}, .choices = {{2, 1}}}});
  EXPECT_EQ(table.find("/v1/chat/completions", "gpt-4o")->choices[0].upstream, 0u);
  EXPECT_EQ(table.find("/v1/embeddings", "text-embedding-3-small")->choices[0].upstream, 1u);
  EXPECT_EQ(table.find("/v1/messages", "claude-sonnet-4-5")->choices[0].upstream, 2u);
  EXPECT_EQ(table.find("/v1/messages", "unknown"), nullptr);
}

TEST(RouteOrder, FallbacksFollowInTheirOrder) {
  const Route route{.choices = {{0, 1}, {1, 0}, {2, 0}}};
  const UpstreamHealth health(3);
  EXPECT_EQ(order_of(route, health, kNow, 12345), (Order{0, 1, 2}));
}

TEST(RouteOrder, WeightsShareTheLoad) {
  const Route route{.choices = {{0, 1}, {1, 3}, {2, 0}}};
  const UpstreamHealth health(3);
  std::map<std::size_t, int> first;
  for (std::uint32_t draw = 0; draw < 400; ++draw) {
    const Order order = order_of(route, health, kNow, draw);
    ASSERT_EQ(order.size(), 3u);
    EXPECT_EQ(order[2], 2u);
    ++first[order[0]];
  }
  EXPECT_EQ(first[0], 100);
  EXPECT_EQ(first[1], 300);
}

TEST(RouteOrder, WhatFailedIsTriedLastForAWhile) {
  const Route route{.choices = {{0, 1}, {1, 0}}};
  UpstreamHealth health(2);
  health.failed(0, kNow);
  health.failed(0, kNow);
  EXPECT_EQ(order_of(route, health, kNow, 0), (Order{0, 1}));
  health.failed(0, kNow);
  EXPECT_EQ(order_of(route, health, kNow, 0), (Order{1, 0}));
  EXPECT_EQ(order_of(route, health, kNow + 10s, 0), (Order{0, 1}));
  // One more is enough then; a success makes it good.
  health.failed(0, kNow + 10s);
  EXPECT_TRUE(health.avoided(0, kNow + 11s));
  health.succeeded(0);
  EXPECT_FALSE(health.avoided(0, kNow + 11s));
  EXPECT_EQ(health.failures(0), 4u);
}

TEST(RouteOrder, WhoAsksForARestGetsItWithinBounds) {
  UpstreamHealth health(1);
  health.resting(0, 7s, kNow);
  EXPECT_TRUE(health.avoided(0, kNow + 6s));
  EXPECT_FALSE(health.avoided(0, kNow + 7s));
  health.resting(0, 24h, kNow);
  EXPECT_FALSE(health.avoided(0, kNow + 60s));
}

TEST(JoinPath, TheSegmentThatBothHaveStandsOnce) {
  EXPECT_EQ(join_path("/v1", "/v1/chat/completions"), "/v1/chat/completions");
  EXPECT_EQ(join_path("", "/v1/messages"), "/v1/messages");
  EXPECT_EQ(join_path("/openai/v1/", "/v1/chat/completions?x=1"),
            "/openai/v1/chat/completions?x=1");
  EXPECT_EQ(join_path("/openai", "/v1/chat/completions"), "/openai/v1/chat/completions");
  EXPECT_EQ(join_path("/v1", "/v1beta/models"), "/v1/v1beta/models");
  EXPECT_EQ(join_path("/v1", "/v1?x"), "/v1?x");
}

}  // namespace
}  // namespace agentsh::gateway
