#include "policies/loader.h"

#include "policies/compiled_policy.h"
#include "tests/unit/policies/case_file.h"

#include <gtest/gtest.h>

#include <csignal>

namespace agentsh::policy {
namespace {

Policy whole_schema() {
  auto text =
      read_file(std::string(AGENTSH_SOURCE_DIR) + "/tests/cases/policies/whole_schema.yaml");
  EXPECT_TRUE(text);
  Diagnostics problems("whole_schema.yaml");
  auto policy = load_policy(*text, problems);
  EXPECT_TRUE(policy) << (problems.ok() ? "" : problems.to_error().what);
  return policy ? *policy : Policy{};
}

TEST(Loader, RefusesMalformedPolicies) {
  CaseFile file("malformed.yaml");
  YamlNode cases = file.root().get("cases");
  EXPECT_GE(cases.size(), 50u);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    YamlNode item = cases.item(i);
    SCOPED_TRACE(std::string(item.get("name").text()));
    Diagnostics problems("p.yaml");
    auto policy = load_policy(item.get("policy").text(), problems);
    EXPECT_FALSE(policy);
    ASSERT_FALSE(problems.ok());
    const std::string errors = problems.to_error().what;
    for (std::size_t j = 0; j < item.get("errors").size(); ++j) {
      const std::string_view expected = item.get("errors").item(j).text();
      EXPECT_NE(errors.find(expected), std::string::npos)
          << "expected: " << expected << "\ngot: " << errors;
    }
  }
}

TEST(Loader, ReadsEveryKey) {
  const Policy policy = whole_schema();
  EXPECT_EQ(policy.name, "whole-schema");
  ASSERT_EQ(policy.file_rules.size(), 3u);
  EXPECT_EQ(policy.file_rules[0].operations.count(), kFileOperations);
  EXPECT_EQ(policy.file_rules[0].timeout, std::chrono::minutes(5));
  EXPECT_EQ(policy.file_rules[0].where.line, 10);
  ASSERT_EQ(policy.network_rules.size(), 3u);
  EXPECT_EQ(policy.network_rules[0].domains[0].text, "*.example.com");
  EXPECT_EQ(policy.network_rules[0].cidrs.size(), 3u);
  ASSERT_EQ(policy.command_rules.size(), 2u);
  EXPECT_EQ(policy.command_rules[0].args_patterns.size(), 2u);
  EXPECT_EQ(policy.command_rules[0].redirect->arguments_append.front(), "b");
  EXPECT_TRUE(policy.command_rules[0].environment->block_iteration);
  EXPECT_EQ(policy.command_rules[1].name, "command_rules[1]");
  EXPECT_TRUE(policy.signal_rules[0].signals.test(SIGWINCH));
  EXPECT_FALSE(policy.signal_rules[0].signals.test(32));
  EXPECT_EQ(policy.signal_rules[2].redirect_signal, SIGTERM);
  EXPECT_EQ(policy.connect_redirects[0].rewrite_sni, "y.example");
  EXPECT_TRUE(policy.connect_redirects[1].unix_socket);
  EXPECT_EQ(policy.resource_limits.disk_read_bps_max, 1'000'000u);
  EXPECT_EQ(policy.env_inject[1].second, "5");
  EXPECT_EQ(policy.http_services[0].secret->random_length, 36u);
  EXPECT_EQ(policy.http_services[0].rules[0].methods[1], "HEAD");
  EXPECT_EQ(policy.package_rules[0].action, PackageAction::kBlock);
  EXPECT_EQ(policy.process_contexts[0].chain_rules[0].condition.parts.size(), 3u);
  EXPECT_EQ(policy.database.rules[0].operations, (std::vector<std::string>{"read", "delete"}));
  EXPECT_EQ(policy.database.options.unavoidability, DbUnavoidability::kEnforce);
  auto compiled =
      CompiledPolicy::compile(policy, Variables({{"PROJECT_ROOT", "/p"}, {"HOME", "/home/u"}}));
  EXPECT_TRUE(compiled) << compiled.error().what;
}

TEST(Loader, AnchorsAndMergesShareParts) {
  Diagnostics problems("p.yaml");
  auto policy = load_policy(
      "version: 1\nname: t\nnetwork_rules:\n"
      "  - &base {name: a, ports: [443], decision: allow}\n"
      "  - {<<: *base, name: b, domains: [b.example]}\n",
      problems);
  ASSERT_TRUE(policy) << problems.to_error().what;
  EXPECT_EQ(policy->network_rules[1].name, "b");
  EXPECT_EQ(policy->network_rules[1].ports, (std::vector<std::uint16_t>{443}));
}

}  // namespace
}  // namespace agentsh::policy
