// The configuration as text, and that the table of keys, the defaults and the sample agree.
#include "appliance/config/show.h"

#include "appliance/cli/config_verbs.h"
#include "appliance/config/schema.h"
#include "base/json_reader.h"
#include "tests/unit/config/config_testing.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace agentsh::config {
namespace {

using testing::HasSubstr;
using testing::Not;

ServerConfig defaults() {
  const TestRequest request;
  return default_config(request.paths, request.uid);
}

// What each key must be when nothing is set, as JSON.
struct Default {
  const char* path;
  const char* json;
};
constexpr Default kDefaults[] = {
    {"server.state_dir", "\"/home/ann/.local/state/agentsh\""},
    {"server.unix_socket.enabled", "true"},
    {"server.unix_socket.path", "\"/run/user/1000/agentsh/agentsh.sock\""},
    {"server.unix_socket.permissions", "\"0600\""},
    {"server.unix_socket.group", "\"\""},
    {"server.http.addr", "\"\""},
    {"server.http.read_timeout", "\"30s\""},
    {"server.http.write_timeout", "\"5m\""},
    {"server.http.max_request_size", "\"10MB\""},
    {"server.tls.enabled", "false"},
    {"server.tls.cert_file", "\"\""},
    {"server.tls.key_file", "\"\""},
    {"auth.type", "\"none\""},
    {"auth.api_key.keys_file", "\"\""},
    {"auth.api_key.header_name", "\"X-API-Key\""},
    {"logging.level", "\"info\""},
    {"logging.file", "\"/home/ann/.local/state/agentsh/agentshd.log\""},
    {"metrics.enabled", "true"},
    {"metrics.path", "\"/metrics\""},
    {"health.path", "\"/health\""},
    {"health.readiness_path", "\"/ready\""},
    {"sessions.base_dir", "\"/home/ann/.local/state/agentsh/sessions\""},
    {"sessions.max_sessions", "100"},
    {"sessions.default_timeout", "\"0s\""},
    {"sessions.default_idle_timeout", "\"0s\""},
    {"sessions.cleanup_interval", "\"1m\""},
    {"sessions.real_paths", "true"},
    {"policies.dir", "\"/home/ann/.config/agentsh/policies\""},
    {"policies.default", "\"default\""},
    {"policies.allowed", "[]"},
    {"policies.signing.mode", "\"off\""},
    {"policies.signing.trust_store", "\"\""},
    {"approvals.enabled", "false"},
    {"approvals.mode", "\"api\""},
    {"approvals.timeout", "\"5m\""},
    {"sandbox.network.enabled", "true"},
    {"sandbox.network.intercept_mode", "\"auto\""},
    {"sandbox.network.ebpf.enabled", "true"},
    {"sandbox.network.ebpf.required", "false"},
    {"sandbox.network.threads", "0"},
    {"sandbox.network.tls_inspection.enabled", "true"},
    {"sandbox.network.tls_passthrough", "[]"},
    {"sandbox.network.deny_rcode", "\"nxdomain\""},
    {"sandbox.network.resolvers", "[]"},
    {"sandbox.network.upstream_ca_files", "[]"},
    {"sandbox.network.upstream_proxy.url", "\"\""},
    {"sandbox.network.upstream_proxy.bypass", "[]"},
    {"sandbox.network.host_ports", "[]"},
    {"sandbox.network.timeouts.connect", "\"10s\""},
    {"sandbox.network.timeouts.handshake", "\"10s\""},
    {"sandbox.network.timeouts.request_head", "\"30s\""},
    {"sandbox.network.timeouts.idle", "\"5m\""},
    {"sandbox.network.timeouts.body", "\"10m\""},
    {"sandbox.network.timeouts.dns", "\"5s\""},
    {"sandbox.env_inject", "{}"},
    {"proxy.mode", "\"embedded\""},
    {"proxy.providers", "{}"},
    {"proxy.prices_file", "\"\""},
    {"proxy.bedrock.access_key_id", "\"\""},
    {"proxy.bedrock.secret_access_key", "\"\""},
    {"proxy.bedrock.session_token", "\"\""},
    {"proxy.max_request_size", "\"256MB\""},
    {"proxy.rate_limits.enabled", "false"},
    {"proxy.rate_limits.requests_per_minute", "0"},
    {"proxy.rate_limits.tokens_per_minute", "0"},
    {"proxy.limits", "[]"},
    {"llm_storage.retention.max_age_days", "30"},
    {"llm_storage.retention.max_size_mb", "500"},
    {"llm_storage.retention.eviction", "\"oldest_first\""},
    {"gateway.listeners", "[]"},
    {"gateway.upstreams", "[]"},
    {"gateway.routes", "[]"},
    {"gateway.threads", "0"},
    {"guard.listeners", "[]"},
    {"guard.threads", "0"},
    {"gateway.max_request_size", "\"64MB\""},
    {"gateway.timeouts.connect", "\"10s\""},
    {"gateway.timeouts.response", "\"15m\""},
    {"dlp.mode", "\"redact\""},
    {"dlp.patterns.email", "true"},
    {"dlp.patterns.phone", "true"},
    {"dlp.patterns.credit_card", "true"},
    {"dlp.patterns.ssn", "true"},
    {"dlp.patterns.api_keys", "true"},
    {"dlp.detectors", "{}"},
    {"dlp.responses.mode", "\"disabled\""},
    {"dlp.responses.detectors", "{}"},
    {"dlp.custom_patterns", "[]"},
    {"dlp.dictionaries", "[]"},
    {"dlp.catalogue_files", "[]"},
    {"security.mode", "\"auto\""},
    {"security.strict", "false"},
    {"security.minimum_mode", "\"minimal\""},
    {"security.warn_degraded", "true"},
    {"audit.dir", "\"/home/ann/.local/state/agentsh/audit\""},
    {"audit.rotation.max_size_mb", "500"},
    {"audit.rotation.max_backups", "10"},
    {"audit.integrity.key_file", "\"/home/ann/.local/state/agentsh/audit.key\""},
    {"audit.fsync", "\"interval\""},
    {"audit.fsync_interval", "\"1s\""},
    {"audit.backpressure", "\"block\""},
    {"audit.on_write_error", "\"continue\""},
    {"audit.ring_size", "\"4MB\""},
};

TEST(Defaults, OfEveryKey) {
  ServerConfig config = defaults();
  const Schema schema(config);
  EXPECT_EQ(schema.keys().size(), std::size(kDefaults));
  for (const Default& expected : kDefaults) {
    const Key* key = schema.find(expected.path);
    ASSERT_NE(key, nullptr) << expected.path;
    JsonWriter json;
    key->field->write(json, false);
    EXPECT_EQ(json.take(), expected.json) << expected.path;
  }
}

TEST(Defaults, OfRootAreForAGroup) {
  EXPECT_EQ(default_config(default_paths(
                               0, [](const char*) { return ""; }, ""),
                           0)
                .server.unix_socket.permissions,
            0660u);
}

TEST(Schema, EveryKeyIsExplained) {
  ServerConfig config;
  const Schema schema(config);
  for (const Key& key : schema.keys()) {
    EXPECT_TRUE(key.doc.ends_with('.')) << key.path;
    EXPECT_FALSE(key.field->type().empty()) << key.path;
  }
}

// The sample with the '#' of its keys taken away: comments have a blank after it.
std::string uncommented(const std::string& sample) {
  std::istringstream lines(sample);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t hash = line.find_first_not_of(' ');
    if (hash != std::string::npos && line[hash] == '#' && line.size() > hash + 1 &&
        line[hash + 1] != ' ') {
      line.erase(hash, 1);
    }
    text += line + '\n';
  }
  return text;
}

TEST(SampleConfig, LoadsAsItIs) {
  LoadReport report = parse(sample_config(defaults()));
  ASSERT_TRUE(report.config) << problems_of(report);
  EXPECT_EQ(problems_of(report), "");
  EXPECT_TRUE(report.config->set.empty());
}

TEST(SampleConfig, SaysTheDefaults) {
  LoadReport report = parse(uncommented(sample_config(defaults())));
  ASSERT_TRUE(report.config) << problems_of(report);
  EXPECT_EQ(problems_of(report), "");
  EXPECT_EQ(report.config->set.size(), std::size(kDefaults));
  LoadedConfig untouched{.values = defaults()};
  LoadedConfig read{.values = report.config->values};
  EXPECT_EQ(show_json(read, defaults(), ""), show_json(untouched, defaults(), ""));
}

TEST(SampleConfig, FitsIntoItsLines) {
  std::istringstream lines(sample_config(defaults()));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

LoadedConfig loaded(std::string_view text, const LoadRequest& request = TestRequest()) {
  LoadReport report = parse(text, request);
  EXPECT_TRUE(report.config) << problems_of(report);
  return report.config ? *report.config : LoadedConfig{};
}

TEST(Show, TableHasValueDefaultAndOrigin) {
  const LoadedConfig config = loaded("sessions:\n  max_sessions: 7\ntor: {mode: deny}\n",
                                     TestRequest({{"AGENTSH_LOG_LEVEL", "debug"}}));
  const std::string table = show_table(config, defaults(), "");
  EXPECT_THAT(
      table, testing::ContainsRegex("sessions.max_sessions +7 +100 +/etc/agentsh/config.yaml:2\n"));
  EXPECT_THAT(table, testing::ContainsRegex(
                         "logging.level +debug +info +environment variable AGENTSH_LOG_LEVEL\n"));
  EXPECT_THAT(table, testing::ContainsRegex(
                         "tor.mode +deny +- +/etc/agentsh/config.yaml:3 \\(not enforced\\)\n"));
  EXPECT_THAT(table, testing::ContainsRegex("approvals.timeout +5m +5m +default\n"));
}

TEST(Show, BlocksAreSelected) {
  const std::string table = show_table(loaded(""), defaults(), "server.unix_socket");
  EXPECT_EQ(std::ranges::count(table, '\n'), 5);
  EXPECT_EQ(std::ranges::count(show_table(loaded(""), defaults(), "server.unix"), '\n'), 1);
}

TEST(Show, JsonIsComplete) {
  const LoadedConfig config = loaded("sessions: {max_sessions: 7}\ntor: {socks_ports: [1, 2]}\n");
  auto document = JsonDocument::parse(show_json(config, defaults(), ""));
  ASSERT_TRUE(document) << document.error().what;
  EXPECT_EQ(document->root().text("file"), "/etc/agentsh/config.yaml");
  bool seen_session = false;
  bool seen_tor = false;
  for (const JsonNode& node : document->root().member("keys").elements()) {
    const JsonValue key(&node);
    if (key.text("key") == "sessions.max_sessions") {
      seen_session = true;
      EXPECT_EQ(key.integer("value"), 7);
      EXPECT_EQ(key.integer("default"), 100);
      EXPECT_EQ(key.member("origin").text("kind"), "file");
      EXPECT_EQ(key.member("origin").integer("line"), 1);
      EXPECT_TRUE(key.flag("enforced"));
      EXPECT_EQ(key.text("type"), "a whole number from 1 to 100000");
    } else if (key.text("key") == "tor.socks_ports") {
      seen_tor = true;
      EXPECT_EQ(key.member("value").elements().size(), 2u);
      EXPECT_FALSE(key.flag("enforced", true));
      EXPECT_THAT(std::string(key.text("note")), HasSubstr("no rules for Tor"));
    }
  }
  EXPECT_TRUE(seen_session);
  EXPECT_TRUE(seen_tor);
}

TEST(Show, SecretsAreMasked) {
  const LoadedConfig config = loaded(
      "sandbox:\n"
      "  env_inject: {TOKEN: topsecret}\n"
      "  network: {upstream_proxy: {url: \"http://ann:topsecret@p:1\"}}\n"
      "threat_feeds: {realtime: {api_key: topsecret}}\n");
  for (const std::string& text :
       {show_table(config, defaults(), ""), show_json(config, defaults(), "")}) {
    EXPECT_THAT(text, Not(HasSubstr("topsecret")));
    EXPECT_THAT(text, HasSubstr("http://ann:****@p:1"));
  }
}

TEST(Show, ManualEntriesAreTroff) {
  const std::string text = manual_entries(defaults());
  EXPECT_THAT(text, HasSubstr(".TP\n.B approvals.timeout\nNo answer within this time is a denial. "
                              "A duration from 1s to 24h. Default: 5m.\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('.')) EXPECT_TRUE(line == ".TP" || line.starts_with(".B ")) << line;
    EXPECT_FALSE(line.starts_with('\'')) << line;
  }
}

// The verbs print on the standard streams of the process.
class ConfigVerb : public testing::Test {
 protected:
  struct Outcome {
    int code;
    std::string out;
    std::string err;
  };
  static Outcome run(std::vector<std::string> args) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = cli::run_config_verb(args);
    std::fflush(stdout);
    std::string out = testing::internal::GetCapturedStdout();
    return {code, out, testing::internal::GetCapturedStderr()};
  }
  TemporaryDirectory directory_;
};

TEST_F(ConfigVerb, ValidateSaysOkOrWhatIsWrong) {
  const std::string file = directory_.write("config.yaml", "sessions: {max_sessions: 7}\n");
  Outcome outcome = run({"validate", "--path", file});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, file + ": ok\n");

  directory_.write("config.yaml", "sessions: {max_session: 7}\n");
  outcome = run({"validate", "--path", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, file +
                             ":1:12: sessions.max_session: unknown key; did you mean "
                             "\"max_sessions\"?\n");

  outcome = run({"validate", "--path", file, "--json"});
  EXPECT_EQ(outcome.code, 1);
  auto document = JsonDocument::parse(outcome.out);
  ASSERT_TRUE(document);
  ASSERT_EQ(document->root().elements().size(), 1u);
  const JsonValue problem(&document->root().elements()[0]);
  EXPECT_EQ(problem.text("file"), file);
  EXPECT_EQ(problem.integer("line"), 1);
  EXPECT_EQ(problem.integer("column"), 12);
  EXPECT_EQ(problem.text("severity"), "error");
  EXPECT_EQ(problem.text("suggestion"), "max_sessions");
}

TEST_F(ConfigVerb, ValidateReadsTheKeysToo) {
  const std::string file =
      directory_.write("config.yaml", "auth: {type: api_key, api_key: {keys_file: keys.yaml}}\n");
  Outcome outcome = run({"validate", "--path", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr(file + ":1:44: auth.api_key.keys_file: open "));
  directory_.write("keys.yaml", "- {id: a, key: aaaaaaaaaaaaaaaaaaaaaaaa}\n");
  EXPECT_EQ(run({"validate", "--path", file}).code, 0);
}

TEST_F(ConfigVerb, ShowPrintsTableJsonSampleAndManual) {
  const std::string file = directory_.write("config.yaml", "sessions: {max_sessions: 7}\n");
  EXPECT_THAT(run({"show", "--path", file}).out,
              testing::ContainsRegex("sessions.max_sessions +7 +100 +" + file + ":1\n"));
  EXPECT_TRUE(JsonDocument::parse(run({"show", "--path", file, "--json"}).out));
  EXPECT_THAT(run({"show", "--sample"}).out, HasSubstr("\nsessions:\n"));
  EXPECT_THAT(run({"show", "--man"}).out, HasSubstr(".B sessions.max_sessions"));
  EXPECT_EQ(run({"show", "--path", file, "sessions.max_sessions"}).out.find("server."),
            std::string::npos);
}

TEST_F(ConfigVerb, ShowOfABrokenFileSaysWhy) {
  const std::string file = directory_.write("config.yaml", "x: 1\n");
  const Outcome outcome = run({"show", "--path", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, file + ":1:1: x: unknown key\n");
}

TEST_F(ConfigVerb, WrongArgumentsAreRefused) {
  EXPECT_EQ(run({}).code, 1);
  EXPECT_EQ(run({"sho"}).code, 1);
  EXPECT_EQ(run({"show", "--json", "--man"}).code, 1);
  EXPECT_EQ(run({"validate", "--pth", "x"}).code, 1);
  EXPECT_EQ(run({"--help"}).code, 0);
}

}  // namespace
}  // namespace agentsh::config
