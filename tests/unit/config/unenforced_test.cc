// Keys that are known and have no effect: named, never passed over, refused under security.strict.
#include "appliance/config/unenforced.h"

#include "appliance/config/schema.h"
#include "tests/unit/config/config_testing.h"

#include <gmock/gmock.h>

#include <set>

namespace agentsh::config {
namespace {

using testing::HasSubstr;
using testing::Not;

// Every known path, with and without a member.
std::set<std::string> all_paths() {
  ServerConfig config;
  const Schema schema(config);
  std::set<std::string> paths;
  for (const Key& key : schema.keys()) paths.insert(key.path);
  for (const KnownKeys& known : known_keys()) {
    std::istringstream names{std::string(known.names)};
    for (std::string name; names >> name;) paths.insert(std::string(known.block) + name);
  }
  return paths;
}

TEST(Unenforced, EveryKnownKeyWithoutAMemberHasARow) {
  ServerConfig config;
  const Schema schema(config);
  for (const std::string& path : all_paths()) {
    if (schema.find(path) != nullptr) continue;
    EXPECT_NE(find_unenforced(path, ""), nullptr) << path;
  }
}

TEST(Unenforced, EveryRowIsAboutAKnownKey) {
  const std::set<std::string> paths = all_paths();
  for (const Unenforced& row : unenforced_keys()) {
    const std::string path(row.path);
    const bool known = std::ranges::any_of(paths, [&](const std::string& known_path) {
      return known_path == path || known_path.starts_with(path + ".") ||
             known_path.starts_with(path + "[");
    });
    EXPECT_TRUE(known) << path;
    std::istringstream conditions{std::string(row.off)};
    for (std::string condition; conditions >> condition;) {
      const std::string key = condition.substr(0, condition.find('='));
      EXPECT_TRUE(paths.contains(key.empty() ? path : path + "." + key)) << path << " " << row.off;
    }
  }
}

TEST(Unenforced, NoPathIsDeclaredTwice) {
  ServerConfig config;
  const Schema schema(config);
  std::set<std::string> paths;
  for (const Key& key : schema.keys()) EXPECT_TRUE(paths.insert(key.path).second) << key.path;
  for (const KnownKeys& known : known_keys()) {
    std::istringstream names{std::string(known.names)};
    for (std::string name; names >> name;) {
      EXPECT_TRUE(paths.insert(std::string(known.block) + name).second) << known.block << name;
    }
  }
  std::set<std::string_view> rows;
  for (const Unenforced& row : unenforced_keys()) {
    EXPECT_TRUE(rows.insert(row.path).second) << row.path;
  }
}

struct Case {
  const char* text;
  const char* expected;  // Empty: nothing is said.
};
constexpr Case kCases[] = {
    {"tor: {mode: deny, enabled: true}",
     ":1:28: warning: tor: known, not enforced by this version (set: enabled, mode): "
     "there are no rules for Tor"},
    {"tor: {mode: deny, enabled: false}", ""},
    {"server: {grpc: {enabled: false, addr: \"127.0.0.1:9090\"}}", ""},
    {"server: {grpc: {enabled: true}}", "server.grpc.enabled: known, not enforced"},
    {"auth: {type: hybrid, api_key: {keys_file: /k}}", "OIDC tokens are not accepted"},
    {"auth: {type: OIDC}", "OIDC tokens are not accepted"},
    {"auth: {type: api_key, api_key: {keys_file: /k}}", ""},
    {"auth: {oidc: {issuer: \"https://x\"}}", "auth.oidc.issuer: known, not enforced"},
    {"approvals: {mode: totp}", "answered by `agentsh approve` and the API"},
    {"approvals: {mode: api}", ""},
    {"sandbox: {network: {intercept_mode: tcp_only}}", "everything is intercepted"},
    {"sandbox: {network: {intercept_mode: all}}", ""},
    {"sandbox: {network: {ebpf: {enabled: true, enforce: true}}}", ""},
    {"sandbox: {network: {ebpf: {map_lpm_entries: 5}}}", "maps are sized by the policy"},
    {"sandbox: {fuse: {enabled: false, audit: {mode: monitor}}}", ""},
    {"sandbox: {fuse: {enabled: true}}", "sandbox.fuse.enabled: known, not enforced"},
    {"sandbox: {seccomp: {enabled: true, mode: enforce}}", ""},
    {"sandbox: {seccomp: {mode: audit}}", "the seccomp filter always enforces"},
    {"sandbox: {seccomp: {blocked_socket_families: [{family: AF_ALG}]}}",
     "sandbox.seccomp.blocked_socket_families[0].family: known, not enforced"},
    {"sandbox: {seccomp: {blocked_socket_families: []}}", "the list of allowed families is built"},
    {"sandbox: {mcp: {servers: [{id: a}, {id: b}]}}",
     "sandbox.mcp: known, not enforced by this version (set: servers[0].id, servers[1].id)"},
    {"capabilities: {allow: []}", ""},
    {"capabilities: {allow: [NET_RAW]}", "sessions have no capabilities"},
    {"development: {disable_auth: false}", ""},
    {"development: {disable_auth: true}", "authentication cannot be switched off"},
    {"audit: {enabled: true, integrity: {enabled: true, algorithm: hmac-sha256}}", ""},
    {"audit: {integrity: {algorithm: hmac-sha512}}", "lines are chained by HMAC-SHA-256"},
    {"audit: {storage: {enabled: true, batch_size: 9}}", "audit.storage.batch_size: known"},
    {"mount_profiles: {x: {base_policy: y, mounts: [{path: /, policy: z}]}}",
     "mount_profiles: known, not enforced by this version (set: x.base_policy, x.mounts[0].path, "
     "x.mounts[0].policy): a session has one policy"},
    {"package_checks: {enabled: true, scope: a, fail_mode: b, cache: {dir: c}, block_on: {malware: "
     "any, license: any}}",
     "(set: enabled, scope, fail_mode, cache.dir and 2 more)"},
    {"llm_storage: {store_bodies: false}", ""},
    {"llm_storage: {store_bodies: true}", "bodies of LLM requests are never stored"},
    {"logging: {output: stderr, format: text}", ""},
};

TEST(Unenforced, IsNamedUnlessThereIsNothingToEnforce) {
  for (const Case& item : kCases) {
    LoadReport report = parse(item.text);
    ASSERT_TRUE(report.config) << item.text << "\n" << problems_of(report);
    EXPECT_EQ(report.config->warnings.size(), report.problems.size());
    if (*item.expected == '\0') {
      EXPECT_EQ(problems_of(report), "") << item.text;
    } else {
      EXPECT_THAT(problems_of(report), HasSubstr(item.expected)) << item.text;
    }
  }
}

TEST(Unenforced, IsRefusedUnderStrict) {
  LoadReport report = parse("tor: {enabled: true}\nsecurity: {strict: true}\n");
  EXPECT_FALSE(report.config);
  EXPECT_THAT(problems_of(report),
              HasSubstr(":1:16: tor.enabled: known, but this version does not enforce it, and "
                        "security.strict is on: there are no rules for Tor"));
  EXPECT_TRUE(parse("tor: {enabled: false}\nsecurity: {strict: true}\n").config);
}

TEST(Unenforced, CountsWhenSetByTheEnvironmentToo) {
  LoadReport report = parse("", TestRequest({{"AGENTSH_PROXY_PORT", "4000"}}));
  ASSERT_TRUE(report.config);
  EXPECT_THAT(problems_of(report),
              HasSubstr("environment variable AGENTSH_PROXY_PORT: warning: proxy.port: known"));
}

TEST(Unenforced, SecretsOfSuchKeysAreNotKept) {
  LoadReport report = parse(
      "threat_feeds: {realtime: {api_key: topsecret}}\n"
      "audit: {webhook: {url: \"https://topsecret\", headers: {A: topsecret}}}\n");
  ASSERT_TRUE(report.config) << problems_of(report);
  for (const SetKey& key : report.config->set) {
    EXPECT_THAT(key.json, Not(HasSubstr("topsecret"))) << key.path;
    EXPECT_THAT(key.text, Not(HasSubstr("topsecret"))) << key.path;
  }
}

}  // namespace
}  // namespace agentsh::config
