#include "base/domain.h"
#include "policies/compiled_policy.h"
#include "policies/loader.h"
#include "tests/unit/policies/case_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>

namespace agentsh::policy {
namespace {

// A public address for names that come without one.
constexpr std::string_view kPublicAddress = "93.184.216.34";

std::string describe(const Verdict& verdict) {
  return fmt::format("{} {}", to_string(verdict.decision()), verdict.rule());
}

Verdict connect(const CompiledPolicy& policy, std::string_view text) {
  ConnectFacts facts;
  if (text.ends_with(" udp")) {
    facts.transport = Transport::kUdp;
    text.remove_suffix(4);
  }
  const std::size_t at = text.find('@');
  auto host = split_host_port(text.substr(0, at), 0);
  EXPECT_TRUE(host) << text;
  facts.port = host->port;
  if (auto address = IpAddress::parse(host->host)) {
    facts.address = *address;
  } else {
    facts.name = host->host;
    auto leased = at == std::string_view::npos ? kPublicAddress : text.substr(at + 1);
    facts.address = *IpAddress::parse(leased);
  }
  return policy.decide(facts);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Verdict command(const CompiledPolicy& policy, std::string_view text) {
  CommandFacts facts;
  if (text.starts_with('#')) {
    const std::size_t space = text.find(' ');
    std::from_chars(text.data() + 1, text.data() + space, facts.depth);
    text.remove_prefix(space + 1);
  }
  std::vector<std::string> words = split(text, '|');
  const std::string path = words.front();
  words.erase(words.begin());
  facts.path = path;
  facts.arguments = words;
  return policy.decide(facts);
}

Verdict decide(const CompiledPolicy& policy, std::string_view kind, std::string_view of) {
  if (kind == "connect") return connect(policy, of);
  if (kind == "dns") return policy.decide(DnsFacts{.name = of, .type = "A"});
  if (kind == "command") return command(policy, of);
  const std::size_t space = of.find(' ');
  return policy.decide(FileFacts{.path = of.substr(space + 1), .operation = of.substr(0, space)});
}

std::shared_ptr<const CompiledPolicy> compile(std::string_view yaml, const Variables& variables) {
  Diagnostics problems("policy.yaml");
  auto policy = load_policy(yaml, problems);
  EXPECT_TRUE(policy) << (problems.ok() ? "" : problems.to_error().what);
  if (!policy) return nullptr;
  auto compiled = CompiledPolicy::compile(std::move(*policy), variables);
  EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error().what);
  return compiled ? *compiled : nullptr;
}

Variables variables_of(YamlNode node) {
  Variables::Map map;
  for (std::size_t i = 0; i < node.size(); ++i) {
    auto [name, value] = node.entry(i);
    map.emplace(name.text(), value.text());
  }
  return Variables(std::move(map));
}

void check(const CompiledPolicy& policy, std::string_view kind, YamlNode row) {
  const std::string_view of = row.get("of").text();
  const Verdict verdict = decide(policy, kind, of);
  EXPECT_EQ(describe(verdict), row.get("expect").text()) << kind << " " << of;
  if (YamlNode message = row.get("message"); message.exists()) {
    EXPECT_NE(verdict.message().find(message.text()), std::string::npos) << verdict.message();
  }
  if (YamlNode target = row.get("target"); target.exists()) {
    ASSERT_TRUE(verdict.redirect()) << kind << " " << of;
    EXPECT_EQ(verdict.redirect()->target, target.text());
  }
}

TEST(Decisions, TableOfCases) {
  CaseFile file("decisions.yaml");
  YamlNode cases = file.root().get("cases");
  ASSERT_GT(cases.size(), 10u);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    YamlNode item = cases.item(i);
    SCOPED_TRACE(std::string(item.get("name").text()));
    auto policy = compile(item.get("policy").text(), variables_of(item.get("variables")));
    ASSERT_TRUE(policy);
    for (std::string_view kind : {"connect", "dns", "command", "file"}) {
      YamlNode rows = item.get(kind);
      for (std::size_t j = 0; j < rows.size(); ++j) check(*policy, kind, rows.item(j));
    }
  }
}

TEST(Decisions, ApprovalsCarryTheirTimeout) {
  auto policy = compile(
      "version: 1\nname: t\nnetwork_rules:\n"
      "  - {name: ask, decision: approve, timeout: 30s, message: 'To "
      "{{.RemoteAddr}}:{{.RemotePort}}?'}\n",
      {});
  const Verdict verdict = connect(*policy, "1.2.3.4:80");
  EXPECT_TRUE(verdict.needs_approval());
  EXPECT_EQ(verdict.approval_timeout(), std::chrono::seconds(30));
  EXPECT_EQ(verdict.message(), "To 1.2.3.4:80?");
}

TEST(Decisions, PassthroughOfARuleIsInItsVerdict) {
  auto policy = compile(
      "version: 1\nname: t\nnetwork_rules:\n"
      "  - {name: pinned, domains: [a.example], tls: passthrough, decision: allow}\n"
      "  - {name: map, domains: [b.example], tls: {mode: passthrough}, decision: allow}\n"
      "  - {name: rest, decision: allow}\n",
      {});
  EXPECT_TRUE(connect(*policy, "a.example:443").tls_passthrough());
  EXPECT_TRUE(connect(*policy, "b.example:443").tls_passthrough());
  EXPECT_FALSE(connect(*policy, "c.example:443").tls_passthrough());
}

TEST(Decisions, ArgumentsWithAndWithoutArgvZero) {
  auto policy = compile(
      "version: 1\nname: t\ncommand_rules:\n"
      "  - {name: plain, commands: [git], args_patterns: ['^push'], decision: deny}\n"
      "  - {name: named, commands: [git], args_patterns: ['^git pull'], decision: deny}\n"
      "  - {name: rest, decision: allow}\n",
      {});
  const auto rule = [&](std::vector<std::string> arguments, std::string_view argv0) {
    return policy->decide(CommandFacts{.path = "git", .arguments = arguments, .argv0 = argv0})
        .rule();
  };
  EXPECT_EQ(rule({"push"}, ""), "plain");
  EXPECT_EQ(rule({"pull"}, ""), "rest");
  EXPECT_EQ(rule({"push"}, "git"), "plain");
  EXPECT_EQ(rule({"pull"}, "git"), "named");
}

TEST(Decisions, AMissingVariableNamesItsPlace) {
  Diagnostics problems("policy.yaml");
  auto policy = load_policy(
      "version: 1\nname: t\nfile_rules:\n  - name: a\n    paths: ['${NOWHERE}/x', "
      "'${ALSO:-}${NOT}']\n"
      "    decision: allow\n",
      problems);
  ASSERT_TRUE(policy);
  auto compiled = CompiledPolicy::compile(std::move(*policy), {});
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().what,
            "policy.yaml:5:13: file_rules[0].paths[0]: variable \"NOWHERE\" is not set; write "
            "${NOWHERE:-fallback} where it may be missing\n"
            "policy.yaml:5:29: file_rules[0].paths[1]: variable \"NOT\" is not set; write "
            "${NOT:-fallback} where it may be missing");
}

TEST(Decisions, WhatAnAddressMayBeReachedForByName) {
  auto policy = compile(
      "version: 1\nname: t\nnetwork_rules:\n"
      "  - {name: no80, ports: [80], decision: deny}\n"
      "  - {name: bad, domains: [bad.lan], decision: deny}\n"
      "  - {name: lan, domains: ['*.lan'], cidrs: [10.0.0.0/8], decision: allow}\n"
      "  - {name: web, domains: ['*.example'], decision: allow}\n",
      {});
  const NetworkDecider& network = policy->network();
  EXPECT_TRUE(network.permits_some_port("a.lan", *IpAddress::parse("10.1.1.1")));
  EXPECT_FALSE(network.permits_some_port("bad.lan", *IpAddress::parse("10.1.1.1")));
  EXPECT_FALSE(network.permits_some_port("a.lan", *IpAddress::parse("127.0.0.1")));
  EXPECT_FALSE(network.permits_some_port("a.example", *IpAddress::parse("10.1.1.1")));
  EXPECT_TRUE(network.permits_some_port("a.example", *IpAddress::parse("1.1.1.1")));
  EXPECT_TRUE(network.names_host(1, "bad.lan"));
  EXPECT_FALSE(network.names_host(0, "bad.lan"));
}

}  // namespace
}  // namespace agentsh::policy
