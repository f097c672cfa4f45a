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

TEST(IdSet, FewAndManyNumbersBehaveAlike) {
  for (std::uint32_t count : {0u, 1u, 3u, 4u, 31u, 32u, 1000u}) {
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < count; ++i) ids.push_back((count - i) * 3);
    ids.insert(ids.end(), ids.begin(), ids.end());
    const IdSet set(ids, 4000);
    EXPECT_EQ(set.size(), count);
    EXPECT_TRUE(std::ranges::is_sorted(set.ids()));
    for (std::uint32_t id = 0; id < 4000; ++id) {
      EXPECT_EQ(set.contains(id), id % 3 == 0 && id >= 3 && id <= count * 3) << count << " " << id;
    }
  }
}

TEST(FirstCandidate, AgreesWithCountingThrough) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t bound = 1 + random() % 3000;
    std::vector<IdSet> sets;
    for (int i = 0; i < 6; ++i) sets.push_back(random_set(random, bound, 1 + random() % 60));
    Selector candidates;
    std::array<Selector, 2> checks;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      (i % 3 == 0 ? candidates : checks[i % 3 - 1]).add(&sets[i]);
    }
    std::vector<std::uint32_t> expected;
    for (std::uint32_t id = 0; id < bound; ++id) {
      const bool passes = std::ranges::all_of(checks, [&](auto& s) { return s.contains(id); });
      if (candidates.contains(id) && passes) expected.push_back(id);
    }
    auto first = first_candidate(candidates, checks);
    EXPECT_EQ(first, expected.empty() ? std::nullopt : std::optional(expected.front()));
    std::vector<std::uint32_t> all;
    first_candidate(candidates, checks, [&](std::uint32_t id) {
      all.push_back(id);
      return false;
    });
    EXPECT_EQ(all, expected);
  }
}

TEST(FirstCandidate, WithoutCandidatesThereIsNone) {
  const IdSet some({1, 2, 3}, 10);
  const std::array<Selector, 1> checks = {Selector(&some)};
  EXPECT_FALSE(first_candidate(Selector(), checks));
}

}  // namespace
}  // namespace agentsh::policy
