#include "policies/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Variable = EnvironmentFilter::Variable;

std::vector<std::string> names(const std::vector<Variable>& variables) {
  std::vector<std::string> result;
  for (const Variable& variable : variables) result.push_back(variable.first);
  return result;
}

const std::vector<Variable> kRequested = {{"PATH", "/bin"},
                                          {"AWS_SECRET_ACCESS_KEY", "x"},
                                          {"LD_PRELOAD", "/x.so"},
                                          {"MY_TOKEN", "t"},
                                          {"AGENTSH_SESSION_ID", "s"}};

TEST(Environment, WithoutRulesCredentialsAndHooksAreLeftOut) {
  auto outcome = EnvironmentFilter().apply(kRequested);
  ASSERT_TRUE(outcome);
  EXPECT_THAT(names(outcome->variables), ElementsAre("PATH", "MY_TOKEN", "AGENTSH_SESSION_ID"));
  EXPECT_THAT(outcome->removed, ElementsAre("AWS_SECRET_ACCESS_KEY", "LD_PRELOAD"));
  EXPECT_GE(default_denied_variables().size(), 50u);
  for (const char* name : {"SSH_AUTH_SOCK", "GITHUB_TOKEN", "PYTHONPATH", "NODE_OPTIONS", "ENV"}) {
    EXPECT_FALSE(EnvironmentFilter().allows(name)) << name;
  }
}

TEST(Environment, DenyWinsOverAllow) {
  const EnvironmentFilter filter({.allow = {"PATH", "*_TOKEN", "LD_*"}, .deny = {"MY_*"}}, {});
  auto outcome = filter.apply(kRequested);
  EXPECT_THAT(names(outcome->variables), ElementsAre("PATH", "LD_PRELOAD", "AGENTSH_SESSION_ID"));
}

TEST(Environment, WhatIsInjectedComesLastAndReplaces) {
  const std::vector<Variable> inject = {{"PATH", "/usr/bin"}, {"LD_PRELOAD", "/ours.so"}};
  const EnvironmentFilter filter({.deny = {"LD_*"}}, inject);
  auto outcome = filter.apply(kRequested);
  EXPECT_EQ(outcome->variables.back(), (Variable{"LD_PRELOAD", "/ours.so"}));
  EXPECT_EQ(std::ranges::count(outcome->variables, "PATH", &Variable::first), 1);
}

TEST(Environment, MoreThanAllowedIsAnError) {
  const EnvironmentFilter few({.max_keys = 2}, {});
  EXPECT_THAT(few.apply(kRequested).error().what, HasSubstr("3 variables, env_policy allows 2"));
  const EnvironmentFilter small({.max_bytes = 10}, {});
  EXPECT_FALSE(small.apply(kRequested));
  EXPECT_TRUE(EnvironmentFilter({.max_bytes = 1000, .max_keys = 3}, {}).apply(kRequested));
}

}  // namespace
}  // namespace agentsh::policy
