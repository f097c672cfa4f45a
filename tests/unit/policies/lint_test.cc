#include "policies/lint.h"

#include "policies/glob_cover.h"
#include "policies/loader.h"
#include "tests/unit/policies/case_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

Policy load(std::string_view yaml) {
  Diagnostics problems("p.yaml");
  auto policy = load_policy(yaml, problems);
  EXPECT_TRUE(policy) << (problems.ok() ? "" : problems.to_error().what);
  return policy ? *policy : Policy{};
}

TEST(Lint, TableOfCases) {
  CaseFile file("lint.yaml");
  YamlNode cases = file.root().get("cases");
  ASSERT_GT(cases.size(), 10u);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    YamlNode item = cases.item(i);
    SCOPED_TRACE(std::string(item.get("name").text()));
    std::vector<std::string> expected;
    for (std::size_t j = 0; j < item.get("findings").size(); ++j) {
      expected.emplace_back(item.get("findings").item(j).text());
    }
    std::vector<std::string> found;
    std::string texts;
    for (const Diagnostic& finding : lint(load(item.get("policy").text()))) {
      found.push_back(finding.check + " " + finding.key);
      texts += to_text(finding) + "\n";
    }
    EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(expected)) << texts;
  }
}

TEST(Lint, NotesAreNoProblem) {
  EXPECT_FALSE(has_warnings(
      lint(load("version: 1\nname: t\nnetwork_rules: [{domains: ['*'], decision: allow}]\n"))));
  EXPECT_TRUE(
      has_warnings(lint(load("version: 1\nname: t\nfile_rules: [{paths: [], decision: deny}]\n"))));
}

TEST(GlobCover, SaysYesOnlyWhenItIsSure) {
  const auto covers = [](std::string_view wider, std::string_view narrower, char separator) {
    return glob_covers(*Glob::parse(wider, separator), *Glob::parse(narrower, separator));
  };
  EXPECT_TRUE(covers("**", "a/b*", '/'));
  EXPECT_TRUE(covers("/a/**", "/a/b/**", '/'));
  EXPECT_TRUE(covers("/a/**", "/a/*", '/'));
  EXPECT_TRUE(covers("/a/*", "/a/*.py", '/'));
  EXPECT_TRUE(covers("/a/*", "/a/b?[cd]{e,f}", '/'));
  EXPECT_TRUE(covers("*.example", "a.example", '.'));
  EXPECT_TRUE(covers("**.example", "*.b.example", '.'));
  EXPECT_TRUE(covers("/a/x*y", "/a/xy", '/'));
  EXPECT_TRUE(covers("/a", "/a", '/'));
  EXPECT_FALSE(covers("/a/*", "/a/**", '/'));
  EXPECT_FALSE(covers("/a/*", "/a/*/b", '/'));
  EXPECT_FALSE(covers("/a/*", "/a/{b/c,d}", '/'));
  EXPECT_FALSE(covers("/a/**", "/a", '/'));
  EXPECT_FALSE(covers("*.example", "a.b.example", '.'));
  EXPECT_FALSE(covers("/a/xx*xx", "/a/xxx", '/'));
  EXPECT_FALSE(covers("/a", "/a/b", '/'));
  EXPECT_FALSE(covers("/ab", "/a", '/'));
}

}  // namespace
}  // namespace agentsh::policy
