#include "appliance/cli/audit_verbs.h"
#include "appliance/cli/event_query.h"
#include "audit/segments.h"
#include "audit/side_car.h"
#include "tests/unit/audit/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

namespace agentsh::audit {
namespace {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

class AuditCli : public ::testing::Test {
 protected:
  void SetUp() override {
    options_ = small_options(directory_.path());
    auto recorder = open_recorder(options_);
    for (int i = 1; i <= 5; ++i) {
      Event event("net_connect");
      event.session_id = i % 2 == 0 ? "even" : "odd";
      event.policy = PolicyInfo{.decision = i == 3 ? "deny" : "allow", .rule = "rule-1"};
      event.domain = "host" + std::to_string(i) + ".example";
      event.field("n", std::int64_t{i});
      recorder->record(std::move(event));
    }
  }

  template <class Run>
  static Outcome capture(Run run) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run();
    std::fflush(stdout);
    std::fflush(stderr);
    std::string out = ::testing::internal::GetCapturedStdout();
    return {code, std::move(out), ::testing::internal::GetCapturedStderr()};
  }
  Outcome audit(std::vector<std::string> args) {
    return capture([&] {
      return cli::run_audit_verb(args,
                                 {.directory = options_.directory, .key_file = options_.key_file});
    });
  }
  Outcome query(std::vector<std::string> args) {
    return capture([&] { return cli::run_events_query(args, options_.directory); });
  }

  TempDirectory directory_;
  RecorderOptions options_;
};

TEST_F(AuditCli, VerifySaysOk) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"verify"},
           {"verify", options_.directory},
           {"verify", segment_path(options_.directory, 1)},
           {"verify", "--dir", options_.directory, "--key-file", options_.key_file}}) {
    const Outcome outcome = audit(args);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(outcome.out.starts_with("OK: 5 entries (1 to 5) in 1 segment")) << outcome.out;
  }
}

TEST_F(AuditCli, VerifyNamesFileAndLine) {
  const std::string path = segment_path(options_.directory, 1);
  std::string text = read_text(path);
  text.replace(text.find("host3"), 5, "host9");
  write_text(path, text);
  const Outcome outcome = audit({"verify"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find(path + ":3: changed: entry 3 does not match its hash"),
            std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find("FAILED: 1 problem(s)"), std::string::npos);
  const Outcome json = audit({"verify", "--json"});
  EXPECT_EQ(json.code, 1);
  const auto document = JsonDocument::parse(json.out).value();
  EXPECT_FALSE(document.root().flag("ok", true));
  const JsonValue finding(&document.root().member("findings").elements().at(0));
  EXPECT_EQ(finding.integer("line"), 3);
  EXPECT_EQ(finding.text("kind"), "changed");
  EXPECT_EQ(audit({"verify", "--from-sequence", "4"}).code, 0);
}

TEST_F(AuditCli, VerifyToleratesWhatItIsTold) {
  const std::string path = segment_path(options_.directory, 1);
  const std::string text = read_text(path);
  write_text(path, text + "{\"legacy\":1}\n");
  EXPECT_EQ(audit({"verify"}).code, 1);
  EXPECT_EQ(audit({"verify", "--tolerate-unsigned"}).code, 0);
  write_text(path, text.substr(0, text.size() - 10));
  EXPECT_EQ(audit({"verify"}).code, 1);
  EXPECT_EQ(audit({"verify", "--tolerate-truncation"}).code, 0);
}

TEST_F(AuditCli, TellsUsageErrorsFromFindings) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {},
           {"verify", "--no-such-flag"},
           {"verify", "--from-sequence", "x"},
           {"nonsense"},
           {"chain"},
           {"chain", "reset"},
           {"chain", "reset", "--reason", "x", "--reason-code", "y"},
           {"verify", directory_ / "none"},
           {"verify", "--key-file", directory_ / "none"}}) {
    const Outcome outcome = audit(args);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_FALSE(outcome.err.empty());
  }
  EXPECT_EQ(audit({"--help"}).code, 0);
  EXPECT_EQ(audit({"verify", "--help"}).code, 0);
}

TEST_F(AuditCli, ChainStatusAndReset) {
  Outcome outcome = audit({"chain", "status"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("last entry     5"), std::string::npos) << outcome.out;
  outcome = audit({"chain", "status", "--json"});
  EXPECT_EQ(outcome.code, 0);
  const auto document = JsonDocument::parse(outcome.out).value();
  EXPECT_EQ(document.root().integer("last_sequence"), 5);
  EXPECT_EQ(document.root().member("side_car").integer("sequence"), 5);

  const std::vector<std::string> reset = {"chain",         "reset",         "--reason",
                                          "lost the file", "--reason-code", "sidecar_missing"};
  EXPECT_EQ(audit(reset).code, 1);  // Intact.
  std::filesystem::remove(side_car_path(options_.directory));
  EXPECT_EQ(audit({"chain", "status"}).code, 1);
  outcome = audit(reset);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("new chain from entry 6 in audit-000002.jsonl"), std::string::npos);
  EXPECT_EQ(audit({"verify"}).code, 0);
  EXPECT_EQ(audit({"chain", "status"}).code, 0);
}

TEST_F(AuditCli, QueryPrintsJsonLines) {
  const Outcome outcome = query({"--direct-db", "--output", "json", "--order", "asc"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto event = JsonDocument::parse(line).value();
    EXPECT_EQ(event.root().member("fields").integer("n"), count + 1);
    EXPECT_FALSE(event.root().has("integrity"));
  }
  EXPECT_EQ(count, 5);
}

TEST_F(AuditCli, QueryPrintsATable) {
  const Outcome outcome = query({"--direct-db", "--output", "table", "--decision", "deny"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("TIME")) << outcome.out;
  EXPECT_NE(outcome.out.find("net_connect  deny      odd      host3.example  rule-1\n"),
            std::string::npos)
      << outcome.out;
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 2);
}

TEST_F(AuditCli, QueryTakesEveryFilter) {
  const auto count = [&](std::vector<std::string> args) {
    args.insert(args.end(), {"--direct-db", "--output", "json"});
    const Outcome outcome = query(args);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return std::ranges::count(outcome.out, '\n');
  };
  EXPECT_EQ(count({"--session", "even"}), 2);
  EXPECT_EQ(count({"--type", "net_connect,dns_query"}), 5);
  EXPECT_EQ(count({"--type", "dns_query"}), 0);
  EXPECT_EQ(count({"--decision", "allow"}), 4);
  EXPECT_EQ(count({"--since", "1h"}), 5);
  EXPECT_EQ(count({"--until", "1h"}), 0);
  EXPECT_EQ(count({"--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z"}), 0);
  EXPECT_EQ(count({"--domain-like", "host4"}), 1);
  EXPECT_EQ(count({"--text-like", "\"n\":2"}), 1);
  EXPECT_EQ(count({"--path-like", "x"}), 0);
  EXPECT_EQ(count({"--limit", "2"}), 2);
  EXPECT_EQ(count({"--offset", "4"}), 1);
  EXPECT_EQ(count({"--db-path", options_.directory}), 5);
  EXPECT_EQ(count({"--db-path", EventIndex::file_in(options_.directory)}), 5);
  EXPECT_EQ(count({"--dir", options_.directory}), 5);
}

TEST_F(AuditCli, QueryTellsUsageErrorsFromFailures) {
  EXPECT_EQ(query({"--direct-db", "--since", "yesterday"}).code, 2);
  EXPECT_EQ(query({"--direct-db", "--order", "up"}).code, 2);
  EXPECT_EQ(query({"--direct-db", "--limit", "0"}).code, 2);
  EXPECT_EQ(query({"--direct-db", "extra"}).code, 2);
  EXPECT_EQ(query({}).code, 2);
  EXPECT_EQ(query({"--help"}).code, 0);
  const Outcome none = query({"--direct-db", "--dir", directory_ / "none"});
  EXPECT_EQ(none.code, 1);
  EXPECT_FALSE(none.err.empty());
  EXPECT_EQ(query({"--direct-db", "--dir", directory_.path()}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(EventIndex::file_in(directory_.path())));
}

TEST_F(AuditCli, QueryWorksBesideARunningRecorder) {
  options_.index = true;
  auto recorder = open_recorder(options_);
  recorder->record(Event("fresh"));
  ASSERT_TRUE(recorder->flush());
  const Outcome outcome = query({"--direct-db", "--type", "fresh", "--output", "json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 1);
}

}  // namespace
}  // namespace agentsh::audit
