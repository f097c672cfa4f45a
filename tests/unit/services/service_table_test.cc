#include "proxy/services/service_table.h"

#include <gtest/gtest.h>

namespace agentsh::services {
namespace {

using policy::Decision;

policy::HttpService github() {
  policy::HttpService service;
  service.name = "github";
  service.upstream = "https://api.example:8443/v3/";
  service.host = "api.example";
  service.aliases = {"uploads.example"};
  policy::HttpServiceRule read;
  read.name = "read";
  read.methods = {"GET", "HEAD"};
  read.paths = {{"/repos/**", {}}, {"/", {}}};
  read.decision = Decision::kAllow;
  policy::HttpServiceRule write;
  write.name = "write";
  write.methods = {"POST"};
  write.paths = {{"/repos/*/issues", {}}};
  write.decision = Decision::kApprove;
  write.timeout = std::chrono::seconds(9);
  service.rules = {read, write};
  return service;
}

std::string decide(const Service& service, std::string_view method, std::string_view target) {
  const policy::Verdict verdict = service.decide(method, target);
  return std::string(to_string(verdict.decision())) + " " + verdict.rule();
}

TEST(Service, TheFirstRuleOfMethodAndPathDecides) {
  const Service service(github());
  EXPECT_EQ(service.port(), 8443);
  EXPECT_EQ(service.base_path(), "/v3");
  EXPECT_EQ(decide(service, "GET", "/v3/repos/a/b?x=1"), "allow read");
  EXPECT_EQ(decide(service, "HEAD", "/v3/repos/a/"), "allow read");
  EXPECT_EQ(decide(service, "GET", "/v3"), "allow read");
  EXPECT_EQ(decide(service, "GET", "/v3/user"), "deny http-service-default");
  EXPECT_EQ(decide(service, "get", "/v3/repos/a"), "deny http-service-default");
  EXPECT_EQ(decide(service, "DELETE", "/v3/repos/a"), "deny http-service-default");
  EXPECT_EQ(decide(service, "POST", "/v3/repos/a/issues"), "approve write");
  EXPECT_EQ(decide(service, "POST", "/v3/repos/a/b/issues"), "deny http-service-default");
  EXPECT_EQ(service.decide("POST", "/v3/repos/a/issues").approval_timeout(),
            std::chrono::seconds(9));
}

TEST(Service, NoWayAroundTheRules) {
  const Service service(github());
  EXPECT_EQ(decide(service, "GET", "/v3/repos/../user"), "deny http-service-path");
  EXPECT_EQ(decide(service, "GET", "/v3/repos/%2e%2e/user"), "deny http-service-path");
  EXPECT_EQ(decide(service, "GET", "/v3//user"), "deny http-service-path");
  EXPECT_EQ(decide(service, "GET", "/v3/%75ser"), "deny http-service-default");
  EXPECT_EQ(decide(service, "GET", "/v3x/repos/a"), "deny http-service-outside-upstream");
  EXPECT_EQ(decide(service, "GET", "/repos/a"), "deny http-service-outside-upstream");
  EXPECT_EQ(decide(service, "TRACE", "/v3/repos/a"), "deny http-service-method");
  EXPECT_EQ(decide(service, "OPTIONS", "*"), "deny http-service-path");
}

TEST(ServiceTable, FindsByHostAliasAndName) {
  const ServiceTable table({github()});
  EXPECT_NE(table.with_host("api.example"), nullptr);
  EXPECT_EQ(table.with_host("uploads.example"), table.with_name("github"));
  EXPECT_EQ(table.with_host("example"), nullptr);
  EXPECT_EQ(table.with_name("GitHub"), nullptr);
}

TEST(Service, DefaultAllow) {
  policy::HttpService declared = github();
  declared.rules.clear();
  declared.default_allow = true;
  EXPECT_EQ(decide(Service(declared), "DELETE", "/v3/x"), "allow http-service-default");
}

}  // namespace
}  // namespace agentsh::services
