#include "appliance/config/api_keys.h"

#include "tests/unit/config/config_testing.h"

#include <gmock/gmock.h>

namespace agentsh::config {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kKeys = R"(
- id: ci
  key: aaaaaaaaaaaaaaaaaaaaaaaa
  description: build servers
  role: approver
- {id: dev, key: bbbbbbbbbbbbbbbbbbbbbbbb}
- {id: root, key: cccccccccccccccccccccccc, role: admin}
)";

std::optional<ApiKeys> parse_keys(std::string_view text, std::string* errors = nullptr) {
  policy::Diagnostics problems("keys.yaml");
  auto keys = ApiKeys::parse(text, problems);
  if (errors != nullptr) *errors = problems.ok() ? "" : problems.to_error().what;
  return keys;
}

TEST(ApiKeys, AreFoundWithTheirRoles) {
  auto keys = parse_keys(kKeys);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->size(), 3u);
  const ApiKey* key = keys->find("aaaaaaaaaaaaaaaaaaaaaaaa");
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->id, "ci");
  EXPECT_EQ(key->description, "build servers");
  EXPECT_EQ(key->role, Role::kApprover);
  EXPECT_EQ(keys->find("cccccccccccccccccccccccc")->role, Role::kAdmin);
}

TEST(ApiKeys, AMissingRoleIsTheLeast) {
  EXPECT_EQ(parse_keys(kKeys)->find("bbbbbbbbbbbbbbbbbbbbbbbb")->role, Role::kAgent);
}

TEST(ApiKeys, AnythingElseIsNotFound) {
  auto keys = parse_keys(kKeys);
  for (std::string_view key : {"", "ci", "aaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaa",
                               "AAAAAAAAAAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaaaaaaaaaa\n"}) {
    EXPECT_EQ(keys->find(key), nullptr) << key;
  }
}

TEST(ApiKeys, AnEmptyListHasNone) {
  auto keys = parse_keys("[]");
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->find(""), nullptr);
}

TEST(ApiKeys, MalformedFilesAreRefused) {
  struct Case {
    const char* text;
    const char* expected;
  };
  constexpr Case kCases[] = {
      {"", "must be a list of keys"},
      {"a: b", "must be a list of keys"},
      {"- {id: a, key: short-secret}", "[0].key: must have 24 to 512 characters, has 12"},
      {"- {id: a, key: \"secret secret secret secret\"}", "visible ASCII characters"},
      {"- {id: a}", "[0].key: is missing"},
      {"- {key: secretsecretsecretsecret}", "[0].id: is missing"},
      {"- {id: a, key: secretsecretsecretsecret, role: root}", "is not one of agent, approver"},
      {"- {id: a, key: secretsecretsecretsecret, roles: admin}",
       "unknown key; did you mean \"role\"?"},
      {"- {id: a, key: secretsecretsecretsecret1}\n- {id: a, key: secretsecretsecretsecret2}",
       "keys.yaml:2:8: [1].id: \"a\" is the id of the key at line 1 too"},
      {"- {id: a, key: secretsecretsecretsecret}\n- {id: b, key: secretsecretsecretsecret}",
       "keys.yaml:2:16: [1].key: is the same as at line 1"},
      {"- secretsecretsecretsecret", "must be a map"},
  };
  for (const Case& item : kCases) {
    std::string errors;
    EXPECT_FALSE(parse_keys(item.text, &errors)) << item.text;
    EXPECT_THAT(errors, HasSubstr(item.expected)) << item.text;
    EXPECT_THAT(errors, Not(HasSubstr("secret"))) << item.text;
  }
}

TEST(ApiKeys, FileMustBeClosedToOthers) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(ApiKeys::load(directory.write("keys", kKeys, 0600), ::geteuid()));
  auto keys = ApiKeys::load(directory.write("keys", kKeys, 0644), ::geteuid());
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().what, HasSubstr("chmod 600"));
}

TEST(ApiKeys, RolesHaveNames) {
  EXPECT_EQ(to_string(Role::kAgent), "agent");
  EXPECT_EQ(to_string(Role::kApprover), "approver");
  EXPECT_EQ(to_string(Role::kAdmin), "admin");
}

}  // namespace
}  // namespace agentsh::config
