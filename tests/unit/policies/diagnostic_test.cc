#include "policies/diagnostic.h"

#include <gtest/gtest.h>

#include <array>

namespace agentsh::policy {
namespace {

TEST(ClosestWord, FindsMisspellings) {
  constexpr std::array<std::string_view, 5> kWords = {"domains", "ports", "cidrs", "decision",
                                                      "args_patterns"};
  EXPECT_EQ(closest_word("domain", kWords), "domains");
  EXPECT_EQ(closest_word("prots", kWords), "ports");
  EXPECT_EQ(closest_word("Decision", kWords), "decision");
  EXPECT_EQ(closest_word("args_pattern", kWords), "args_patterns");
  EXPECT_EQ(closest_word("args-patterns", kWords), "args_patterns");
  EXPECT_EQ(closest_word("cid", kWords), "cidrs");
  EXPECT_EQ(closest_word("dec", kWords), "decision");
  EXPECT_FALSE(closest_word("colour", kWords));
  EXPECT_FALSE(closest_word("", kWords));
  EXPECT_FALSE(closest_word(std::string(1000, 'a'), kWords));
}

TEST(ClosestWord, AnAmbiguousAbbreviationIsNone) {
  constexpr std::array<std::string_view, 2> kWords = {"network_rules", "network_profile"};
  EXPECT_FALSE(closest_word("network", kWords));
}

TEST(Diagnostics, TextNamesPlaceKeyAndSuggestion) {
  Diagnostics problems("p.yaml");
  problems.error({12, 5}, "network_rules[0].domain", "unknown key", "domains");
  problems.warning({3, 1}, "", "only the first document");
  EXPECT_FALSE(problems.ok());
  EXPECT_EQ(problems.to_error().what,
            "p.yaml:12:5: network_rules[0].domain: unknown key; did you mean \"domains\"?");
  EXPECT_EQ(to_text(problems.sorted()[0]), "p.yaml:3:1: warning: only the first document");
}

TEST(Diagnostics, KeepsABoundedNumberAndCountsTheRest) {
  Diagnostics problems("p.yaml");
  for (int i = 1; i <= 500; ++i) problems.error({i, 1}, "k", "bad");
  EXPECT_EQ(problems.errors(), 500u);
  EXPECT_EQ(problems.sorted().size(), Diagnostics::kMaximum);
  EXPECT_TRUE(problems.to_error().what.ends_with("p.yaml: and 300 more errors"));
}

TEST(Diagnostics, JsonIsForEditors) {
  Diagnostics problems("p.yaml");
  problems.error({1, 2}, "a", "bad \"thing\"", "b");
  EXPECT_NE(to_json(problems.sorted()).find("\"column\": 2"), std::string::npos);
}

}  // namespace
}  // namespace agentsh::policy
