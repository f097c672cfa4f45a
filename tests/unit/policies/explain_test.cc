#include "policies/enforcement.h"
#include "policies/loader.h"
#include "policies/policy_test.h"
#include "tests/unit/policies/case_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agentsh::policy {
namespace {

using ::testing::HasSubstr;
using Extent = RuleEnforcement::Extent;

constexpr HostCapabilities kEverything = {.bpf = true,
                                          .nftables = true,
                                          .mounts = true,
                                          .landlock = true,
                                          .fuse = true,
                                          .seccomp_notify = true,
                                          .cgroup_memory = true,
                                          .cgroup_pids = true,
                                          .cgroup_cpu = true};

std::shared_ptr<const CompiledPolicy> compile(std::string_view yaml) {
  Diagnostics problems("p.yaml");
  auto policy = load_policy(yaml, problems);
  EXPECT_TRUE(policy) << (problems.ok() ? "" : problems.to_error().what);
  return *CompiledPolicy::compile(std::move(*policy),
                                  Variables({{"PROJECT_ROOT", "/home/u/p"}, {"HOME", "/home/u"}}));
}

std::shared_ptr<const CompiledPolicy> whole_schema() {
  auto text =
      read_file(std::string(AGENTSH_SOURCE_DIR) + "/tests/cases/policies/whole_schema.yaml");
  EXPECT_TRUE(text);
  return compile(*text);
}

const RuleEnforcement& entry_of(const std::vector<RuleEnforcement>& report,
                                std::string_view section, std::string_view rule) {
  for (const RuleEnforcement& entry : report) {
    if (entry.section == section && entry.rule == rule) return entry;
  }
  ADD_FAILURE() << "no entry " << section << " " << rule;
  return report.front();
}

TEST(Enforcement, EverySectionIsAccountedFor) {
  const auto report = enforcement_report(*whole_schema(), "/home/u/p", kEverything);
  std::set<std::string> sections;
  for (const RuleEnforcement& entry : report) sections.insert(entry.section);
  for (const char* section : {"file_rules",
                              "network_rules",
                              "dns_redirects",
                              "connect_redirects",
                              "command_rules",
                              "transparent_commands",
                              "unix_socket_rules",
                              "registry_rules",
                              "signal_rules",
                              "env_policy",
                              "env_inject",
                              "resource_limits",
                              "audit",
                              "http_services",
                              "providers",
                              "mcp_rules",
                              "package_rules",
                              "db_services",
                              "database_rules",
                              "database_connection_rules",
                              "process_identities",
                              "process_contexts"}) {
    EXPECT_TRUE(sections.contains(section)) << section;
  }
  EXPECT_EQ(entry_of(report, "network_rules", "net").by, EnforcedBy::kProxy);
  EXPECT_EQ(entry_of(report, "dns_redirects", "dns").by, EnforcedBy::kDnsService);
  EXPECT_EQ(entry_of(report, "http_services", "github").extent, Extent::kWhole);
  EXPECT_EQ(entry_of(report, "resource_limits", "max_memory_mb").by, EnforcedBy::kCgroup);
  EXPECT_EQ(entry_of(report, "resource_limits", "net_bandwidth_mbps").extent, Extent::kNothing);
  EXPECT_EQ(entry_of(report, "command_rules", "cmd").extent, Extent::kPart);
  EXPECT_THAT(to_text(report), HasSubstr("NOT ENFORCED"));
  EXPECT_THAT(to_json(report), HasSubstr("\"mechanism\": \"DNS service\""));
  EXPECT_LT(not_enforced(report).size(), report.size());
}

TEST(Enforcement, DependsOnTheHost) {
  auto policy = compile(
      "version: 1\nname: t\n"
      "network_rules:\n"
      "  - {name: net, cidrs: [10.0.0.0/8], decision: deny}\n"
      "  - {name: star, domains: ['*'], decision: allow}\n"
      "file_rules: [{name: f, paths: ['${PROJECT_ROOT}/**'], decision: allow}]\n"
      "resource_limits: {pids_max: 5, command_timeout: 5s}\n"
      "unix_socket_rules: [{name: u, paths: [/x], decision: deny}]\n");
  const auto all = enforcement_report(*policy, "/home/u/p", kEverything);
  EXPECT_EQ(entry_of(all, "network_rules", "net").by, EnforcedBy::kKernelCidrMap);
  EXPECT_THAT(entry_of(all, "network_rules", "star").note,
              HasSubstr("any host, unnamed addresses included"));
  EXPECT_EQ(entry_of(all, "file_rules", "f").by, EnforcedBy::kMounts);
  EXPECT_EQ(entry_of(all, "unix_socket_rules", "u").extent, Extent::kNothing);
  const auto nft = enforcement_report(*policy, "/home/u/p", {.nftables = true, .mounts = true});
  EXPECT_EQ(entry_of(nft, "network_rules", "net").by, EnforcedBy::kProxy);
  EXPECT_EQ(entry_of(nft, "resource_limits", "pids_max").extent, Extent::kNothing);
  EXPECT_EQ(entry_of(nft, "resource_limits", "command_timeout").extent, Extent::kWhole);
  for (const RuleEnforcement& entry : enforcement_report(*policy, "/home/u/p", {})) {
    if (entry.section != "resource_limits") EXPECT_EQ(entry.extent, Extent::kNothing) << entry.rule;
  }
  const auto later = enforcement_report(*policy, "/home/u/p", kEverything, {.unix_sockets = true});
  EXPECT_EQ(entry_of(later, "unix_socket_rules", "u").by, EnforcedBy::kSeccompNotify);
}

TEST(PolicyTest, AnswersInWords) {
  auto policy = compile(
      "version: 1\nname: t\n"
      "network_rules:\n  - {name: web, domains: ['*.example'], ports: [443], decision: allow}\n"
      "file_rules:\n  - {name: p, paths: ['${PROJECT_ROOT}/**'], decision: allow}\n"
      "command_rules:\n  - {name: ls, commands: [ls, sh], decision: allow}\n");
  const auto ask = [&](std::string operation, std::string target) {
    auto answer = test_policy(*policy, {std::move(operation), std::move(target)});
    return answer ? to_text(*answer) : answer.error().what;
  };
  EXPECT_EQ(ask("connect", "a.example:443"),
            "allow by web (line 4) [if the name has a public address]\n");
  EXPECT_THAT(ask("connect", "a.example:443@127.0.0.1"), HasSubstr("deny by default-deny-network"));
  EXPECT_THAT(ask("connect", "1.2.3.4:443"), HasSubstr("no rule allows a connection"));
  EXPECT_THAT(ask("dns", "a.example"), HasSubstr("allow by web"));
  EXPECT_THAT(ask("write", "/home/u/p/x"), HasSubstr("allow by p (line 6)"));
  EXPECT_THAT(ask("write", "x"), HasSubstr("no absolute path"));
  EXPECT_THAT(ask("exec", "ls -la 'a b'"), HasSubstr("allow by ls (line 8)"));
  EXPECT_THAT(ask("exec", "sh -c 'a; b'"), HasSubstr("judged as its shell"));
  EXPECT_THAT(ask("raed", "/x"), HasSubstr("did you mean \"read\"?"));
  auto answer = test_policy(*policy, {"exec", "rm"});
  EXPECT_THAT(to_json(*answer), HasSubstr("\"decision\": \"deny\""));
}

TEST(StaticNetworkRules, OnlyWhatNoNameCanChange) {
  Diagnostics problems("p.yaml");
  auto policy = load_policy(
      "version: 1\nname: t\nnetwork_rules:\n"
      "  - {name: allow-lan, cidrs: [10.1.0.0/16], ports: [443], decision: allow}\n"
      "  - {name: web, domains: ['*.example'], decision: allow}\n"
      "  - {name: no-lan, cidrs: [10.0.0.0/8], decision: deny}\n"
      "  - {name: no-meta, domains: [169.254.169.254], decision: deny}\n"
      "  - {name: no-net, cidrs: [8.8.8.0/24], decision: deny}\n"
      "  - {name: no-name, domains: [x.test], cidrs: [9.0.0.0/8], decision: deny}\n"
      "  - {name: rest, decision: deny}\n",
      problems);
  ASSERT_TRUE(policy);
  const auto list = static_network_rules(policy->network_rules);
  const auto answer = [&](std::string_view address, std::uint16_t port) -> std::string {
    for (const StaticNetworkRule& rule : list) {
      if (rule.network.contains(*IpAddress::parse(address)) && port >= rule.first_port &&
          port <= rule.last_port) {
        return rule.denied ? policy->network_rules[rule.rule].name : "proxy";
      }
    }
    return "proxy";
  };
  EXPECT_EQ(answer("10.1.2.3", 443), "proxy");
  EXPECT_EQ(answer("10.1.2.3", 80), "no-lan");
  EXPECT_EQ(answer("10.2.0.1", 443), "no-lan");
  EXPECT_EQ(answer("169.254.169.254", 80), "no-meta");
  EXPECT_EQ(answer("8.8.8.8", 443), "proxy");  // *.example may be there.
  EXPECT_EQ(answer("9.9.9.9", 443), "proxy");
  EXPECT_EQ(answer("1.1.1.1", 443), "proxy");
}

}  // namespace
}  // namespace agentsh::policy
