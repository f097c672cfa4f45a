#include "sqlguard/login/startup_settings.h"

#include "policy_yaml.h"
#include "sqlguard/login/startup_options.h"

#include <gmock/gmock.h>

namespace agentsh::sql {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;
using testing::ElementsAre;

// "name=value ..." of the settings, or "SQLSTATE message".
std::string read(Parameters parameters) {
  const auto settings = read_settings({.parameters = std::move(parameters)});
  if (!settings) return settings.error().sqlstate + " " + settings.error().message;
  std::string text = settings->user + "@" + settings->database;
  for (const auto& [name, value] : settings->settings) text += " " + name + "=" + value;
  return text;
}

std::string options(std::string text) {
  return read({{"user", "u"}, {"options", std::move(text)}});
}

TEST(StartupOptions, AreSplitAsTheServerSplitsThem) {
  EXPECT_THAT(split_options(""), ElementsAre());
  EXPECT_THAT(split_options("  -c a=b \t\n-c  c=d "), ElementsAre("-c", "a=b", "-c", "c=d"));
  EXPECT_THAT(split_options("-c a=b\\ c"), ElementsAre("-c", "a=b c"));
  EXPECT_THAT(split_options("a\\\\b \\"), ElementsAre("a\\b", ""));
  EXPECT_THAT(split_options("a\\"), ElementsAre("a"));
}

TEST(StartupOptions, SettingsInEverySpelling) {
  EXPECT_EQ(options("-c role=admin"), "u@u role=admin");
  EXPECT_EQ(options("-crole=admin"), "u@u role=admin");
  EXPECT_EQ(options("--role=admin"), "u@u role=admin");
  EXPECT_EQ(options("--search-path=a,b"), "u@u search_path=a,b");
  EXPECT_EQ(options("-c ROLE=admin"), "u@u role=admin");
  EXPECT_EQ(options("-c search_path=a,\\ b"), "u@u search_path=a, b");
  EXPECT_EQ(options("-c my.setting=1 -c a=b=c -c e="), "u@u my.setting=1 a=b=c e=");
  // The last one counts, and parameters of the message count after `options`.
  EXPECT_EQ(options("-c role=a -c b=1 -c Role=c"), "u@u b=1 role=c");
  EXPECT_EQ(read({{"user", "u"}, {"role", "b"}, {"options", "-c role=a"}}), "u@u role=b");
}

TEST(StartupOptions, WhatElseTheServerKnowsIsRefused) {
  for (const char* text :
       {"-e",        "-f s",       "-S 64",    "-t pl",    "-c",           "-c role",
        "--role",    "role=admin", "--",       "-",        "x -c role=a",  "-ec role=a",
        "-C role=a", "-d5",        "-W 1",     "-c =x",    "-c a\\ b=x",   "-c 1a=x",
        "-c a.=x",   "-c .a=x",    "-c a\"=x", "-c a;b=x", "-c \xc3\xa4=x"})
    EXPECT_THAT(options(text), testing::StartsWith("42601")) << text;
}

TEST(StartupSettings, NamesAndWhatIsAskedFor) {
  EXPECT_EQ(read({{"user", "u"}}), "u@u");
  EXPECT_EQ(read({{"user", "u"}, {"database", "d"}, {"application_name", "psql"}}),
            "u@d application_name=psql");
  EXPECT_EQ(read({{"user", "u"}, {"database", ""}}), "u@u");
  EXPECT_EQ(read({{"user", "u"}, {"_pq_.x", "1"}}), "u@u");
  EXPECT_THAT(read({}), testing::StartsWith("28000"));
  EXPECT_THAT(read({{"user", ""}}), testing::StartsWith("28000"));
  EXPECT_THAT(read({{"user", "a"}, {"user", "b"}}), testing::StartsWith("08P01"));
  EXPECT_THAT(read({{"user", "a"}, {"role", "b"}, {"ROLE", "c"}}), testing::StartsWith("08P01"));
  EXPECT_THAT(read({{"user", "a"}, {"Database", "c"}, {"database", "d"}}),
              testing::StartsWith("08P01"));
  // The server takes these for settings, which it does not know; under the name that it does know
  // they would be something else.
  for (const char* name : {"Database", "OPTIONS", "User", "Replication", "_PQ_.x"})
    EXPECT_THAT(read({{"user", "a"}, {name, "-c role=b"}}),
                testing::AnyOf(testing::StartsWith("42601"), testing::StartsWith("08P01")))
        << name;
  EXPECT_THAT(options("-c options=-crole=b"), testing::StartsWith("42601"));
  // It would cut the name off, and another user than the judged one would log in.
  EXPECT_EQ(read({{"user", std::string(63, 'a')}}),
            std::string(63, 'a') + "@" + std::string(63, 'a'));
  EXPECT_THAT(read({{"user", std::string(64, 'a')}}), testing::StartsWith("28000"));
  EXPECT_THAT(read({{"user", "a"}, {"database", std::string(64, 'a')}}),
              testing::StartsWith("28000"));
}

TEST(StartupSettings, Replication) {
  const auto is = [](std::string value) {
    return read_settings({.parameters = {{"user", "u"}, {"replication", std::move(value)}}})
        ->is_replication;
  };
  EXPECT_TRUE(is("database"));
  EXPECT_TRUE(is("true"));
  EXPECT_TRUE(is("nonsense"));
  EXPECT_FALSE(is("false"));
  EXPECT_FALSE(is("off"));
}

TEST(StartupSettings, WhatGoesToTheServer) {
  const auto settings = read_settings({.minor = 2,
                                       .parameters = {{"user", "agent"},
                                                      {"database", "d"},
                                                      {"options", "-c role=a\\ b"},
                                                      {"_pq_.x", "1"},
                                                      {"DateStyle", "ISO"}}});
  ASSERT_TRUE(settings);
  EXPECT_EQ(
      upstream_startup(*settings, 0).parameters,
      (Parameters{{"user", "agent"}, {"database", "d"}, {"role", "a b"}, {"datestyle", "ISO"}}));
  EXPECT_EQ(upstream_startup(*settings, 2, "app_rw").parameter("user"), "app_rw");
  EXPECT_EQ(upstream_startup(*settings, 2).minor, 2);
}

TEST(StartupSettings, VersionsAreNegotiated) {
  EXPECT_FALSE(negotiate({.minor = 0}).answer);
  EXPECT_FALSE(negotiate({.minor = 2}).answer);
  EXPECT_EQ(negotiate({.minor = 2}).minor, 2);
  const Negotiation newer = negotiate({.minor = 9999});
  EXPECT_EQ(newer.minor, 2);
  EXPECT_EQ(newer.answer, (NegotiateProtocolVersion{2, {}}));
  const StartupMessage unknown{.minor = 0, .parameters = {{"user", "u"}, {"_pq_.a", "1"}}};
  EXPECT_EQ(negotiate(unknown).answer, (NegotiateProtocolVersion{0, {"_pq_.a"}}));
}

TEST(StartupSettings, SearchPath) {
  const auto path = [](std::string value) {
    StartupSettings settings{.settings = {{"search_path", std::move(value)}}};
    return search_path_of(settings);
  };
  EXPECT_THAT(path("a, B,\"C \"\" d\"").value(), ElementsAre("a", "b", "C \" d"));
  EXPECT_THAT(path(" ").value(), ElementsAre());
  EXPECT_FALSE(path("a,,b"));
  EXPECT_FALSE(path("a b"));
  EXPECT_FALSE(path("\"a"));
  EXPECT_FALSE(path("\"a\"b"));
  EXPECT_FALSE(path("a,"));
  EXPECT_FALSE(search_path_of({}));
}

// What rules say: "allow", or the setting and why.
std::string judged(const DatabaseRules& rules, Parameters parameters) {
  parameters.emplace_back("user", "u");
  const auto settings = read_settings({.parameters = std::move(parameters)});
  if (!settings) return settings.error().message;
  SessionState session;
  const StartupDecision decision = judge(*settings, rules, Dialect::kPostgres, session);
  if (!decision.decisive) return "allow";
  return denial_of(*settings, decision, *decision.decisive).message;
}

TEST(StartupSettings, CountAsTheStatementsThatTheyAre) {
  const auto rules = rules_of(
      "  - {name: sessions, operations: [session], decision: allow}\n"
      "  - {name: no-roles, operations: [session], subtypes: [set_role, "
      "set_session_authorization], decision: deny, message: stay who you are}\n"
      "  - {name: no-paths, operations: [session], subtypes: [set_search_path], decision: "
      "approve}\n");
  EXPECT_EQ(judged(rules, {}), "allow");
  EXPECT_EQ(judged(rules, {{"statement_timeout", "10s"}, {"my.setting", "x'y"}}), "allow");
  const std::string role = "startup parameter \"role\" is denied: rule no-roles";
  EXPECT_EQ(judged(rules, {{"role", "admin"}}), role);
  EXPECT_EQ(judged(rules, {{"ROLE", "admin"}}), role);
  EXPECT_EQ(judged(rules, {{"options", "-c role=admin"}}), role);
  EXPECT_EQ(judged(rules, {{"options", "--role=admin"}}), role);
  EXPECT_EQ(judged(rules, {{"options", "-c r\\o\\le=admin"}}), role);
  EXPECT_EQ(judged(rules, {{"options", "-c session_authorization=postgres"}}),
            "startup parameter \"session_authorization\" is denied: rule no-roles");
  EXPECT_EQ(judged(rules, {{"search_path", "a"}, {"role", "b"}}), role);
  EXPECT_EQ(judged(rules, {{"search_path", "a,b"}}),
            "startup parameter \"search_path\" is denied: rule no-paths");
}

TEST(StartupSettings, WhatEveryDriverSendsNeedsNoRule) {
  const auto readers =
      rules_of("  - {name: readers, operations: [read], objects: [users], decision: allow}\n");
  const Parameters drivers = {{"client_encoding", "UTF8"},    {"DateStyle", "ISO"},
                              {"TimeZone", "Europe/Berlin"},  {"extra_float_digits", "2"},
                              {"application_name", "it's x"}, {"IntervalStyle", "iso_8601"}};
  EXPECT_EQ(judged(readers, drivers), "allow");
  EXPECT_THAT(judged(readers, {{"search_path", "a"}}), testing::HasSubstr("no rule covers"));
  EXPECT_THAT(judged(readers, {{"row_security", "off"}}), testing::HasSubstr("no rule covers"));
  const auto strict = rules_of(
      "  - {name: no-encodings, operations: [session], objects: [client_encoding], decision: "
      "deny}\n");
  EXPECT_EQ(judged(strict, drivers),
            "startup parameter \"client_encoding\" is denied: rule no-encodings");
}

TEST(StartupSettings, TheSessionBeginsWithThem) {
  const auto rules = rules_of(
      "  - {name: sessions, operations: [session], decision: allow}\n"
      "  - {name: public, operations: [read], schemas: [public], decision: allow}\n");
  const auto settings =
      read_settings({.parameters = {{"user", "u"}, {"options", "-c search_path=public"}}});
  SessionState session;
  EXPECT_FALSE(judge(*settings, rules, Dialect::kPostgres, session).decisive);
  ASSERT_TRUE(session.names().search_path);
  EXPECT_THAT(*session.names().search_path, ElementsAre("public"));
}

}  // namespace
}  // namespace agentsh::sql
