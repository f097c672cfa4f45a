#include "policies/mount_plan.h"

#include "policies/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MountPlan plan(std::string_view rules, std::string_view workspace = "/home/u/p") {
  Diagnostics problems("p.yaml");
  auto policy = load_policy("version: 1\nname: t\nfile_rules:\n" + std::string(rules), problems);
  EXPECT_TRUE(policy) << (problems.ok() ? "" : problems.to_error().what);
  auto compiled = CompiledPolicy::compile(
      std::move(*policy),
      Variables({{"PROJECT_ROOT", std::string(workspace)}, {"HOME", "/home/u"}}));
  EXPECT_TRUE(compiled) << compiled.error().what;
  return plan_mounts(**compiled, std::string(workspace));
}

std::vector<std::string> paths(const std::vector<MountPlan::Masked>& masked) {
  std::vector<std::string> result;
  for (const auto& item : masked) result.push_back(item.path + (item.tree ? "/" : ""));
  return result;
}

using Extent = MountPlan::Extent;

TEST(MountPlan, TreesBecomeWritableAndHidden) {
  const MountPlan got = plan(
      "  - {name: project, paths: ['${PROJECT_ROOT}', '${PROJECT_ROOT}/**'], decision: allow}\n"
      "  - {name: cache, paths: ['${HOME}/.cache/**'], operations: [write, create, mkdir], "
      "decision: allow}\n"
      "  - {name: reading, paths: [/usr/**, /etc/hosts], operations: [open, read], decision: "
      "allow}\n"
      "  - {name: keys, paths: ['${HOME}/.ssh/**', /etc/shadow], decision: deny}\n"
      "  - {name: rest, paths: ['**'], decision: deny}\n");
  EXPECT_TRUE(got.workspace_writable);
  EXPECT_THAT(got.writable, ElementsAre("/home/u/.cache", "/home/u/p"));
  EXPECT_THAT(paths(got.masked), ElementsAre("/home/u/.ssh/", "/etc/shadow"));
  EXPECT_EQ(got.masked[0].rule, "keys");
  for (std::size_t i : {0, 1, 2, 3}) {
    EXPECT_EQ(got.rules[i].extent, Extent::kWhole) << i << got.rules[i].note;
  }
  EXPECT_EQ(got.rules[4].extent, Extent::kPart);
  EXPECT_THAT(got.rules[4].note, HasSubstr("reading is not"));
}

TEST(MountPlan, WithoutRulesNothingIsWritable) {
  const MountPlan got = plan("");
  EXPECT_FALSE(got.workspace_writable);
  EXPECT_THAT(got.writable, IsEmpty());
  EXPECT_THAT(got.masked, IsEmpty());
}

TEST(MountPlan, TheFirstRuleWinsAsItDoesForFiles) {
  const MountPlan got = plan(
      "  - {name: home, paths: ['${HOME}/**'], decision: allow}\n"
      "  - {name: keys, paths: ['${HOME}/.ssh/**'], decision: deny}\n");
  EXPECT_THAT(got.masked, IsEmpty());
  EXPECT_THAT(got.writable, ElementsAre("/home/u"));
  EXPECT_EQ(got.rules[1].extent, Extent::kNothing);
}

TEST(MountPlan, DenialsInsideWritableTrees) {
  const MountPlan got = plan(
      "  - {name: secrets, paths: ['${PROJECT_ROOT}/secrets/**', '${PROJECT_ROOT}/.env'], "
      "decision: deny}\n"
      "  - {name: hooks, paths: ['${PROJECT_ROOT}/.git/hooks/**', '${PROJECT_ROOT}/LICENSE'], "
      "operations: [write, create, delete], decision: deny}\n"
      "  - {name: project, paths: ['${PROJECT_ROOT}/**'], decision: allow}\n");
  EXPECT_THAT(paths(got.masked), ElementsAre("/home/u/p/secrets/", "/home/u/p/.env"));
  EXPECT_THAT(got.read_only, ElementsAre("/home/u/p/.git/hooks", "/home/u/p/LICENSE"));
  for (const auto& rule : got.rules) EXPECT_EQ(rule.extent, Extent::kWhole) << rule.note;
}

TEST(MountPlan, WhatMountsCannotDoIsNamed) {
  const MountPlan got = plan(
      "  - {name: env, paths: ['**/.env'], decision: deny}\n"
      "  - {name: ask, paths: ['${PROJECT_ROOT}/**'], operations: [delete], decision: approve}\n"
      "  - {name: trash, paths: ['${PROJECT_ROOT}/**'], operations: [rmdir], decision: "
      "soft_delete}\n"
      "  - {name: away, paths: [/etc/**], operations: [write], decision: redirect, redirect_to: "
      "/tmp/x}\n"
      "  - {name: py, paths: ['/opt/*.py'], operations: [write], decision: allow}\n"
      "  - {name: noted, paths: ['${PROJECT_ROOT}/**'], decision: audit}\n");
  EXPECT_EQ(got.rules[0].extent, Extent::kNothing);
  EXPECT_THAT(got.rules[0].note, HasSubstr("\"**/.env\" is not closed"));
  EXPECT_EQ(got.rules[1].extent, Extent::kNothing);
  EXPECT_EQ(got.rules[2].extent, Extent::kPart);
  EXPECT_EQ(got.rules[3].extent, Extent::kNothing);
  EXPECT_EQ(got.rules[4].extent, Extent::kNothing);
  EXPECT_EQ(got.rules[5].extent, Extent::kPart);
  EXPECT_TRUE(got.workspace_writable);
}

TEST(MountPlan, WhatCannotBeAskedForIsClosed) {
  const MountPlan got = plan(
      "  - {name: keys, paths: ['${HOME}/.ssh/**', '${HOME}/.netrc'], decision: approve}\n"
      "  - {name: own, paths: ['/proc/**', '/sys/**'], decision: deny}\n"
      "  - {name: relative, paths: ['x', 'y/**'], operations: [read], decision: deny}\n"
      "  - {name: home, paths: ['${HOME}/**'], decision: allow}\n");
  EXPECT_THAT(paths(got.masked), ElementsAre("/home/u/.ssh/", "/home/u/.netrc"));
  EXPECT_EQ(got.rules[0].extent, Extent::kPart);
  EXPECT_THAT(got.rules[0].note, HasSubstr("so it is closed"));
  EXPECT_EQ(got.rules[1].extent, Extent::kPart);
  EXPECT_THAT(got.rules[1].note, HasSubstr("of its own"));
  EXPECT_EQ(got.rules[2].extent, Extent::kNothing);
  EXPECT_THAT(got.writable, ElementsAre("/home/u"));
}

TEST(MountPlan, TenThousandRulesAreNoTrouble) {
  std::string rules;
  for (int i = 0; i < 10'000; ++i) {
    rules += "  - {name: r, paths: ['/srv/" + std::to_string(i) + "/**'], decision: allow}\n";
  }
  EXPECT_EQ(plan(rules).writable.size(), 10'000u);
}

}  // namespace
}  // namespace agentsh::policy
