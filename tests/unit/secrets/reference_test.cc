#include "appliance/secrets/reference.h"

#include "appliance/secrets/vault.h"

#include <gmock/gmock.h>

namespace agentsh::secrets {
namespace {

using ::testing::HasSubstr;

TEST(Reference, Forms) {
  const auto vault = parse_reference("vault://kv/data/github#token").value();
  EXPECT_EQ(vault.scheme, "vault");
  EXPECT_EQ(vault.location, "kv/data/github");
  EXPECT_EQ(vault.field, "token");
  EXPECT_EQ(parse_reference("env:TOKEN").value().location, "TOKEN");
  EXPECT_EQ(parse_reference("env://TOKEN").value().location, "TOKEN");
  EXPECT_EQ(parse_reference("file:/run/token").value().location, "/run/token");
  EXPECT_EQ(parse_reference("file:///run/a.json#token").value().field, "token");
  EXPECT_EQ(parse_reference("exec:/bin/echo x y").value().location, "/bin/echo x y");
}

TEST(Reference, WhatIsNone) {
  for (const char* text :
       {"", "token", ":x", "env:", "file:token", "exec:echo", "vault://kv/data/x", "vault://kv#f",
        "vault://kv/../sys/x#f", "vault://kv/a?b#f", "vault://kv/%2e%2e/x#f", "file:/x#",
        "keyring://a/b", "op://a/b#c"}) {
    EXPECT_FALSE(parse_reference(text).has_value()) << text;
  }
  EXPECT_THAT(parse_reference("aws-sm://a").error().what, HasSubstr("aws-sm is not among"));
}

TEST(Reference, Values) {
  const Reference whole{"file", "/x", ""};
  const Reference field{"file", "/x", "token"};
  EXPECT_EQ(select_value(whole, "abc\r\n").value(), "abc");
  EXPECT_EQ(select_value(field, R"({"token":"abc"})").value(), "abc");
  EXPECT_FALSE(select_value(whole, "a\nb").has_value());
  EXPECT_FALSE(select_value(whole, "\n").has_value());
  EXPECT_FALSE(select_value(field, R"({"token":1})").has_value());
  EXPECT_FALSE(select_value(field, "secret").has_value());
  // Not even the errors tell it.
  EXPECT_EQ(select_value(field, "secret").error().what.find("secret"), std::string::npos);
}

TEST(References, OfAPolicyAreKeptFromItsSessions) {
  policy::Policy policy;
  policy.http_services.push_back({.name = "a"});
  policy.http_services.back().secret = policy::ServiceSecret{.ref = "env://TOKEN#field"};
  policy.database.services.push_back({.name = "db"});
  policy.database.services.back().credentials =
      policy::DbCredentials{.password_ref = "file:/run/db#password", .key_file = "/run/db.key"};
  policy.database.services.push_back({.name = "other"});
  policy.database.services.back().credentials = policy::DbCredentials{.password_ref = "env:PW"};
  EXPECT_THAT(files_of(policy), testing::ElementsAre("/run/db", "/run/db.key"));
  EXPECT_THAT(variables_of(policy), testing::ElementsAre("TOKEN", "PW"));
}

policy::SecretProvider provider(std::vector<std::pair<std::string, std::string>> options) {
  return {.name = "main", .type = "vault", .where = {}, .options = std::move(options)};
}

TEST(VaultOptions, AreChecked) {
  EXPECT_TRUE(VaultOptions::of(provider({{"address", "https://v/"}, {"auth.token_ref", "env:T"}})));
  const auto approle = VaultOptions::of(provider({{"address", "https://v"},
                                                  {"auth.method", "approle"},
                                                  {"auth.role_id", "r"},
                                                  {"auth.secret_id_ref", "env:S"},
                                                  {"timeout", "500ms"},
                                                  {"kv_version", "2"}}));
  ASSERT_TRUE(approle);
  EXPECT_EQ(approle->timeout, std::chrono::milliseconds(500));
  const auto error = [](std::vector<std::pair<std::string, std::string>> options) {
    options.emplace_back("address", "https://v");
    return VaultOptions::of(provider(std::move(options))).error().what;
  };
  EXPECT_THAT(error({}), HasSubstr("auth.token_ref: is missing"));
  EXPECT_THAT(error({{"auth.token", "hvs.x"}}), HasSubstr("a policy holds no secrets"));
  EXPECT_THAT(error({{"auth.method", "kubernetes"}}), HasSubstr("not among token, approle"));
  EXPECT_THAT(error({{"adress", "x"}}), HasSubstr("adress: unknown option"));
  EXPECT_THAT(error({{"timeout", "soon"}}), HasSubstr("timeout"));
}

}  // namespace
}  // namespace agentsh::secrets
