#include "policies/id_set.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::policy {
namespace {

IdSet random_set(std::mt19937& random, std::uint32_t bound, std::uint32_t one_in) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 0; id < bound; ++id) {
    if (random() % one_in == 0) ids.push_back(id);
  }
  std::ranges::reverse(ids);
  return IdSet(std::move(ids), bound);
}

TEST(FirstCommon, AgreesWithCountingThrough) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t bound = 1 + random() % 3000;
    std::vector<IdSet> sets;
    for (int i = 0; i < 6; ++i) sets.push_back(random_set(random, bound, 1 + random() % 60));
    std::array<Selector, 3> selectors;
    for (std::size_t i = 0; i < sets.size(); ++i) selectors[i % 3].add(&sets[i]);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t id = 0; id < bound; ++id) {
      if (std::ranges::all_of(selectors, [&](const Selector& s) { return s.contains(id); })) {
        expected.push_back(id);
      }
    }
    auto first = first_common(selectors);
    EXPECT_EQ(first, expected.empty() ? std::nullopt : std::optional(expected.front()));
    std::vector<std::uint32_t> all;
    first_common(selectors, [&](std::uint32_t id) {
      all.push_back(id);
      return false;
    });
    EXPECT_EQ(all, expected);
  }
}

TEST(FirstCommon, AnEmptySelectorHasNothing) {
  const IdSet some({1, 2, 3}, 10);
  const std::array<Selector, 2> selectors = {Selector(&some), Selector()};
  EXPECT_FALSE(first_common(selectors));
}

}  // namespace
}  // namespace agentsh::policy
