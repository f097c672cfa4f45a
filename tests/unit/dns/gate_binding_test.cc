// The DNS service's questions to a real policy.
#include "proxy/dns/gate_binding.h"

#include "policies/compiled_policy.h"
#include "policies/loader.h"
#include "proxy/dns/lookup.h"
#include "tests/unit/dns/fakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace agentsh::dns {
namespace {

using policy::CompiledPolicy;
using policy::Decision;
using ::testing::HasSubstr;

std::shared_ptr<const CompiledPolicy> compiled(const std::string& text) {
  policy::Diagnostics problems("test.yaml");
  auto loaded = policy::load_policy(text, problems);
  EXPECT_TRUE(loaded) << problems.to_error().what;
  auto result = CompiledPolicy::compile(std::move(*loaded), {});
  EXPECT_TRUE(result) << (result ? "" : result.error().what);
  return *result;
}

constexpr const char* kPolicy = R"(
version: 1
name: dns-test
network_rules:
  - name: no-ads
    domains: ["ads.example.com", "*.ads.example.com"]
    decision: deny
    message: "advertising is not needed"
  - name: site
    domains: ["example.com", "**.example.com", "printer.local"]
    ports: [443]
    decision: allow
  - name: intranet
    domains: ["*.intra.example.org"]
    cidrs: ["10.0.0.0/8"]
    decision: allow
  - name: ask
    domains: ["*.ask.example"]
    ports: [53, 443]
    decision: approve
  - name: rest
    domains: ["**"]
    decision: deny
dns_redirects:
  - name: to-local
    match: "^api\\.example\\.com$"
    resolve_to: "10.9.9.9"
    visibility: warn
connect_redirects:
  - name: moved
    match: "^old\\.example\\.net:443$"
    redirect_to: "new.example.com:443"
)";

TEST(DnsGateBinding, JudgesAndTellsNamedRulesFromTheRest) {
  const auto policy = compiled(kPolicy);
  const auto judge = [&](std::string_view name) { return judge_name(*policy, {name, "A"}); };
  EXPECT_TRUE(judge("www.example.com").verdict.permitted());
  EXPECT_TRUE(judge("printer.local").named);
  EXPECT_FALSE(judge("x.ads.example.com").verdict.permitted());
  EXPECT_TRUE(judge("x.ads.example.com").named);
  EXPECT_EQ(judge("evil.example").verdict.rule(), "rest");
  EXPECT_FALSE(judge("evil.example").named) << "a rule for every host";
  EXPECT_TRUE(judge("x.ask.example").verdict.needs_approval());
  EXPECT_TRUE(judge("old.example.net").verdict.permitted()) << "its connections are redirected";
}

TEST(DnsGateBinding, Redirects) {
  const auto policy = compiled(kPolicy);
  const auto redirect = redirect_of(*policy, "api.example.com");
  ASSERT_TRUE(redirect);
  EXPECT_EQ(redirect->rule, "to-local");
  EXPECT_EQ(redirect->address, ip("10.9.9.9"));
  EXPECT_EQ(redirect->visibility, "warn");
  EXPECT_FALSE(redirect_of(*policy, "xapi.example.com"));
}

TEST(DnsGateBinding, SpecialAddressesNeedARuleWithCidrs) {
  const auto policy = compiled(kPolicy);
  EXPECT_TRUE(allows_special(*policy, "db.intra.example.org", ip("10.1.2.3")));
  EXPECT_FALSE(allows_special(*policy, "db.intra.example.org", ip("192.168.1.1")));
  EXPECT_FALSE(allows_special(*policy, "www.example.com", ip("10.1.2.3")));
  EXPECT_TRUE(allows_special(*policy, "old.example.net", ip("10.1.2.3")));
}

// The whole way, with what the client is told.
TEST(DnsGateBinding, RefusalsSayWhichRuleAndWhy) {
  struct Policy : FakePolicy {
    std::shared_ptr<const CompiledPolicy> compiled;
    Judgement judge(const policy::DnsFacts& facts) const override {
      return judge_name(*compiled, facts);
    }
  };
  auto policy = std::make_shared<Policy>();
  policy->compiled = compiled(kPolicy);
  TestSession test;
  test.policy = policy;
  test.make();
  Engine engine({.hosts_file = ""}, std::make_shared<Cache>());
  const auto reason = [&](std::string_view host) {
    Query query;
    query.name = name(host);
    query.host = host;
    Lookup lookup(engine, test.session, std::move(query), std::chrono::steady_clock::now());
    EXPECT_EQ(lookup.start(), Step::kDone);
    return lookup.outcome().reason;
  };
  EXPECT_EQ(reason("x.ads.example.com"),
            "rule \"no-ads\" denies x.ads.example.com: advertising is not needed");
  EXPECT_EQ(reason("evil.example"), "rule \"rest\" denies evil.example");
}

}  // namespace
}  // namespace agentsh::dns
