// Where the configuration comes from: files, environment, flags, and who wins.
#include "appliance/config/loader.h"

#include "tests/unit/config/config_testing.h"

#include <gmock/gmock.h>

namespace agentsh::config {
namespace {

using testing::HasSubstr;

// A user (or root, when the tests are root's) with empty directories of their own.
class LoadConfig : public testing::Test {
 protected:
  LoadRequest request(const std::map<std::string, std::string>& variables = {}) {
    TestRequest request(variables);
    request.uid = ::geteuid();
    request.paths.config_directory = directory_ / "config";
    request.working_directory = directory_ / "work";
    return request;
  }
  static std::string level(int max_sessions) {
    return fmt::format("sessions: {{max_sessions: {}}}\n", max_sessions);
  }
  static int loaded(const LoadRequest& request) {
    auto config = load_config(request);
    EXPECT_TRUE(config) << config.error().what;
    return config ? config->values.sessions.max_sessions : -1;
  }
  TemporaryDirectory directory_;
};

TEST_F(LoadConfig, WithoutAnyFileTheDefaultsHold) {
  auto config = load_config(request());
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->file, "");
  EXPECT_TRUE(config->set.empty());
  EXPECT_TRUE(config->warnings.empty());
  EXPECT_EQ(config->values.sessions.max_sessions, 100);
}

TEST_F(LoadConfig, TheFirstFileThatExistsIsUsed) {
  directory_.write("config/config.yaml", level(5));
  EXPECT_EQ(loaded(request()), 5);
  directory_.write("work/config.yaml", level(4));
  EXPECT_EQ(loaded(request()), 4);
  directory_.write("work/config.yml", level(3));
  EXPECT_EQ(loaded(request()), 3);
  const std::string by_variable = directory_.write("by-variable", level(2));
  EXPECT_EQ(loaded(request({{"AGENTSH_CONFIG", by_variable}})), 2);
  LoadRequest by_flag = request({{"AGENTSH_CONFIG", by_variable}});
  by_flag.file = directory_.write("by-flag", level(1));
  EXPECT_EQ(loaded(by_flag), 1);
}

TEST_F(LoadConfig, TheWorkingDirectoryIsLookedIntoOnlyWhenAsked) {
  directory_.write("work/config.yml", level(3));
  auto config = load_config(request());
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->from_working_directory);
  LoadRequest started_by_a_client = request();
  started_by_a_client.working_directory = "";
  EXPECT_EQ(loaded(started_by_a_client), 100);
}

TEST_F(LoadConfig, NamedFilesMustExist) {
  LoadRequest by_flag = request();
  by_flag.file = directory_ / "missing";
  auto config = load_config(by_flag);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().what, directory_ / "missing" + ": No such file or directory");
  EXPECT_FALSE(load_config(request({{"AGENTSH_CONFIG", directory_ / "missing"}})));
}

TEST_F(LoadConfig, UntrustedFileInTheWorkingDirectoryIsPassedOverWithAWarning) {
  directory_.write("work/config.yml", level(3), 0666);
  directory_.write("config/config.yaml", level(5));
  auto config = load_config(request());
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->values.sessions.max_sessions, 5);
  ASSERT_EQ(config->warnings.size(), 1u);
  EXPECT_THAT(config->warnings[0].message, HasSubstr("is not used: "));
}

TEST_F(LoadConfig, UntrustedFileElsewhereIsAnError) {
  directory_.write("config/config.yaml", level(5), 0666);
  auto config = load_config(request());
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().what, HasSubstr("mode 0666"));
}

TEST_F(LoadConfig, UsersReadTheMachinesFileLastIfTheyMay) {
  TestRequest request;
  request.uid = ::geteuid() == 0 ? 1000 : ::geteuid();
  request.machine_file = directory_.write("etc/config.yaml", level(6), 0644);
  EXPECT_EQ(loaded(request), 6);
  if (::geteuid() == 0) return;  // Who nothing is closed to.
  ::chmod(request.machine_file.c_str(), 0);
  auto config = load_config(request);
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->values.sessions.max_sessions, 100);
  EXPECT_EQ(config->warnings.size(), 1u);
}

TEST_F(LoadConfig, MalformedFileIsAnErrorWithEveryProblem) {
  directory_.write("config/config.yaml", "foo: 1\nbar: 2\n");
  auto config = load_config(request());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().what, directory_ / "config/config.yaml" + ":1:1: foo: unknown key\n" +
                                     directory_ / "config/config.yaml" + ":2:1: bar: unknown key");
}

TEST_F(LoadConfig, RelativePathsAreBelowTheFilesDirectory) {
  directory_.write("config/config.yaml", "sessions: {base_dir: here}\n");
  EXPECT_EQ(load_config(request())->values.sessions.base_dir, directory_ / "config/here");
  LoadRequest relative = request();
  relative.file = "x/config.yaml";
  LoadReport report = parse_config("sessions: {base_dir: here}\n", relative.file, relative);
  ASSERT_TRUE(report.config);
  EXPECT_EQ(report.config->values.sessions.base_dir, directory_ / "work/x/here");
}

TEST_F(LoadConfig, EnvironmentCountsMoreThanTheFileAndFlagsMost) {
  const std::string text = "logging: {level: error}\nserver: {state_dir: /file}\n";
  LoadReport report = parse(text);
  ASSERT_TRUE(report.config);
  EXPECT_EQ(report.config->values.logging.level, LogLevel::kError);
  EXPECT_EQ(report.config->origin("logging.level").to_text(), "/etc/agentsh/config.yaml:1");

  TestRequest with_variable({{"AGENTSH_LOG_LEVEL", "warn"}, {"AGENTSH_DATA_DIR", "/env"}});
  report = parse(text, with_variable);
  ASSERT_TRUE(report.config);
  EXPECT_EQ(report.config->values.logging.level, LogLevel::kWarning);
  EXPECT_EQ(report.config->values.sessions.base_dir, "/env/sessions");
  EXPECT_EQ(report.config->origin("logging.level").to_text(),
            "environment variable AGENTSH_LOG_LEVEL");

  with_variable.flags = {{"logging.level", "debug", "--log-level"},
                         {"sandbox.network.host_ports", "5432,6379", "--host-port"},
                         {"policies.allowed", "", "--allowed"}};
  report = parse(text, with_variable);
  ASSERT_TRUE(report.config) << problems_of(report);
  EXPECT_EQ(report.config->values.logging.level, LogLevel::kDebug);
  EXPECT_EQ(report.config->origin("logging.level").to_text(), "flag --log-level");
  EXPECT_THAT(report.config->values.sandbox.network.host_ports, testing::ElementsAre(5432, 6379));
  EXPECT_EQ(report.config->origin("sessions.max_sessions").to_text(), "default");
}

TEST_F(LoadConfig, EveryVariableOfTheTableIsHeard) {
  TestRequest request({{"AGENTSH_DATA_DIR", "/data"},
                       {"AGENTSH_HTTP_ADDR", "127.0.0.1:7"},
                       {"AGENTSH_LOG_LEVEL", "debug"},
                       {"AGENTSH_POLICY_NAME", "strict"}});
  LoadReport report = parse(
      "auth: {type: api_key, api_key: {keys_file: /k}}\npolicies: {allowed: [strict]}\n", request);
  ASSERT_TRUE(report.config) << problems_of(report);
  const ServerConfig& config = report.config->values;
  EXPECT_EQ(config.audit.dir, "/data/audit");
  EXPECT_EQ(config.server.http.address, Endpoint::parse("127.0.0.1:7"));
  EXPECT_EQ(config.logging.level, LogLevel::kDebug);
  EXPECT_EQ(config.policies.default_policy, "strict");
}

TEST_F(LoadConfig, AVariableChoosesOnlyAmongAllowedPolicies) {
  LoadReport report = parse("", TestRequest({{"AGENTSH_POLICY_NAME", "observe"}}));
  EXPECT_FALSE(report.config);
  EXPECT_THAT(problems_of(report),
              HasSubstr("environment variable AGENTSH_POLICY_NAME: policies.default: \"observe\" "
                        "is not in policies.allowed"));
}

TEST_F(LoadConfig, MalformedVariablesAndFlagsAreNamed) {
  TestRequest request({{"AGENTSH_LOG_LEVEL", "loud"}});
  request.flags = {{"nonsense", "1", "--nonsense"}, {"server", "1", "--server"}};
  const std::string problems = problems_of(parse("", request));
  EXPECT_THAT(problems, HasSubstr("environment variable AGENTSH_LOG_LEVEL: logging.level: \"loud\" "
                                  "is not one of"));
  EXPECT_THAT(problems, HasSubstr("flag --nonsense: nonsense: unknown key"));
  EXPECT_THAT(problems, HasSubstr("flag --server: server: unknown key"));
}

TEST_F(LoadConfig, EmptyVariablesAreNotSet) {
  EXPECT_TRUE(parse("", TestRequest({{"AGENTSH_LOG_LEVEL", ""}})).config);
}

TEST_F(LoadConfig, OfThisProcess) {
  const LoadRequest own = LoadRequest::of_this_process();
  EXPECT_EQ(own.uid, ::geteuid());
  EXPECT_EQ(own.working_directory, std::filesystem::current_path().string());
  EXPECT_EQ(own.paths.socket, default_socket_path());
}

}  // namespace
}  // namespace agentsh::config
