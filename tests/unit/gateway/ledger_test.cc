// The ledger: sums, history, and being completed from the audit trail.
#include "proxy/gateway/ledger.h"

#include "audit/recorder.h"
#include "base/file_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

namespace agentsh::gateway {
namespace {

using namespace std::chrono_literals;

class LedgerTest : public testing::Test {
 protected:
  LedgerTest() {
    std::string name = testing::TempDir() + "ledgerXXXXXX";
    directory_ = ::mkdtemp(name.data());
    file_ = directory_ + "/ledger.sqlite";
    ledger_ = Ledger::open(file_).value();
  }
  ~LedgerTest() override {
    ledger_.reset();
    std::filesystem::remove_all(directory_);
  }

  static llm::Record record(std::string id, std::string model, std::uint64_t input,
                            std::uint64_t output, std::optional<std::uint64_t> cost) {
    llm::Record made;
    made.id = std::move(id);
    made.session_id = "s1";
    made.key_id = "key_a";
    made.started = *parse_rfc3339("2026-11-24T10:00:00Z");
    made.duration = 1500ms;
    made.dialect = llm::Dialect::kChat;
    made.provider = "openai";
    made.model_asked = std::move(model);
    made.status = 200;
    made.usage.input = input;
    made.usage.output = output;
    made.usage.known = true;
    made.cost.nano_dollars = cost;
    return made;
  }
  void add(const llm::Record& made) { ledger_->add(to_row(made)); }

  std::string directory_, file_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, SumsByModelWithTotalsAndWhatHasNoPrice) {
  add(record("r1", "gpt-4o", 1000, 100, 3'500'000));
  add(record("r2", "gpt-4o", 500, 50, 1'750'000));
  add(record("r3", "secret-model", 70, 7, std::nullopt));
  llm::Record refused = record("r4", "gpt-4o", 0, 0, std::nullopt);
  refused.usage = {};
  refused.ending = llm::Ending::kRefused;
  refused.status = 429;
  add(refused);
  llm::Record cut = record("r5", "gpt-4o", 10, 1, 42);
  cut.ending = llm::Ending::kInterrupted;
  add(cut);

  const UsageReport report = ledger_->report({}).value();
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[0].name, "gpt-4o");
  EXPECT_EQ(report.rows[0].provider, "openai");
  EXPECT_EQ(report.rows[0].sums.requests, 3);
  EXPECT_EQ(report.rows[0].sums.refused, 1);
  EXPECT_EQ(report.rows[0].sums.interrupted, 1);
  EXPECT_EQ(report.rows[0].sums.input, 1510);
  EXPECT_EQ(report.rows[0].sums.nano_dollars, 5'250'042);
  EXPECT_EQ(report.totals.requests, 4);
  EXPECT_EQ(report.totals.unpriced, 1);
  ASSERT_EQ(report.unpriced.size(), 1u);
  EXPECT_EQ(report.unpriced[0].model, "secret-model");
  EXPECT_EQ(report.unpriced[0].tokens, 77);
  const std::string json = to_json(report);
  EXPECT_TRUE(JsonDocument::parse(json)) << json;
  EXPECT_NE(json.find(R"("cost":"0.005250042")"), std::string::npos) << json;
}

TEST_F(LedgerTest, GroupsAndRanges) {
  add(record("r1", "gpt-4o", 1, 0, 1));
  llm::Record other = record("r2", "gpt-4o", 2, 0, 2);
  other.started += 24h;
  other.session_id = "s2";
  other.key_id = "key_b";
  add(other);
  const auto names = [&](UsageQuery query) {
    std::vector<std::string> found;
    const UsageReport report = ledger_->report(query).value();
    for (const auto& row : report.rows) found.push_back(row.name);
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({.by = GroupBy::kDay}), (Names{"2026-11-24", "2026-11-25"}));
  EXPECT_EQ(names({.by = GroupBy::kSession}), (Names{"s2", "s1"}));
  EXPECT_EQ(names({.by = GroupBy::kKey}), (Names{"key_b", "key_a"}));
  EXPECT_EQ(names({.by = GroupBy::kSession, .since = other.started}), (Names{"s2"}));
  EXPECT_EQ(names({.by = GroupBy::kSession, .until = other.started}), (Names{"s1"}));
  EXPECT_EQ(names({.by = GroupBy::kKey, .session = "s1"}), (Names{"key_a"}));
}

TEST_F(LedgerTest, AnEmptyLedgerHasSumsOfZero) {
  const UsageReport report = ledger_->report({}).value();
  EXPECT_TRUE(report.rows.empty());
  EXPECT_EQ(report.totals.requests, 0);
}

TEST_F(LedgerTest, HistoryForBudgets) {
  add(record("r1", "gpt-4o", 100, 10, 7));
  add(record("r2", "claude-sonnet-4-5", 1000, 100, 70));
  const WallTime before = *parse_rfc3339("2026-11-24T00:00:00Z");
  using Subject = Ledger::Subject;
  EXPECT_EQ(ledger_->used(Subject::kKey, "key_a", before)->tokens, 1210u);
  EXPECT_EQ(ledger_->used(Subject::kKey, "key_b", before)->tokens, 0u);
  EXPECT_EQ(ledger_->used(Subject::kSession, "s1", before)->nano_dollars, 77u);
  EXPECT_EQ(ledger_->used(Subject::kModel, "gpt-*", before)->nano_dollars, 7u);
  EXPECT_EQ(ledger_->used(Subject::kAll, "", before + 24h)->tokens, 0u);
}

TEST_F(LedgerTest, RowsOutliveTheProcessAndCountOnce) {
  add(record("r1", "gpt-4o", 100, 10, 7));
  ledger_.reset();
  ledger_ = Ledger::open(file_).value();
  add(record("r1", "gpt-4o", 100, 10, 7));
  EXPECT_EQ(ledger_->report({})->totals.requests, 1);
  struct stat status{};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(LedgerTest, IsCompletedFromTheAuditTrail) {
  audit::RecorderOptions options;
  options.directory = directory_ + "/audit";
  options.key_file = directory_ + "/audit.key";
  auto recorder = audit::Recorder::open(options).value();
  llm::Record lost = record("r1", "gpt-4o", 1000, 100, 3'500'000);
  lost.usage.cache_read = 400;
  lost.usage.reasoning = 30;
  lost.findings = {{.detector = "email", .action = "redact", .field = "messages[0]", .count = 2}};
  lost.replaced = 2;
  recorder->record(llm::to_event(lost));
  recorder->record(llm::to_event(record("r2", "gpt-4o", 1, 1, 1)));
  recorder->record(audit::Event("net_connect"));
  ASSERT_TRUE(recorder->flush());
  add(record("r2", "gpt-4o", 1, 1, 1));
  ASSERT_TRUE(ledger_->flush());

  EXPECT_EQ(ledger_->catch_up(*recorder).value(), 1u);
  EXPECT_EQ(ledger_->catch_up(*recorder).value(), 0u);
  const UsageSums sums = ledger_->report({})->totals;
  EXPECT_EQ(sums.requests, 2);
  EXPECT_EQ(sums.input, 1001);
  EXPECT_EQ(sums.cache_read, 400);
  EXPECT_EQ(sums.reasoning, 30);
  EXPECT_EQ(sums.nano_dollars, 3'500'001);
  EXPECT_EQ(sums.redacted, 1);
}

// What a killed process would have lost comes back the same as it would have been written.
TEST_F(LedgerTest, ARowFromTheTrailIsTheRowOfTheRecord) {
  llm::Record made = record("r1", "gpt-4o", 1000, 100, 3'500'000);
  made.usage.cache_write = 9;
  made.model_answered = "gpt-4o-2024-08-06";
  const LedgerRow direct = to_row(made);
  const auto document = JsonDocument::parse(audit::to_json(llm::to_event(made))).value();
  const LedgerRow trail = to_row(document.root()).value();
  EXPECT_EQ(trail.started, direct.started);
  EXPECT_EQ(trail.duration, direct.duration);
  EXPECT_EQ(trail.session, direct.session);
  EXPECT_EQ(trail.key, direct.key);
  EXPECT_EQ(trail.dialect, direct.dialect);
  EXPECT_EQ(trail.provider, direct.provider);
  EXPECT_EQ(trail.model_answered, direct.model_answered);
  EXPECT_EQ(trail.status, direct.status);
  EXPECT_EQ(trail.ending, direct.ending);
  EXPECT_EQ(trail.cache_write, direct.cache_write);
  EXPECT_EQ(trail.output, direct.output);
  EXPECT_EQ(trail.nano_dollars, direct.nano_dollars);
  EXPECT_TRUE(trail.priced);
}

TEST_F(LedgerTest, ADamagedDatabaseIsPutAside) {
  add(record("r1", "gpt-4o", 1, 1, 1));
  ledger_.reset();
  ASSERT_TRUE(write_file_atomic(file_, std::string(8192, 'x')));
  ledger_ = Ledger::open(file_).value();
  EXPECT_EQ(ledger_->report({})->totals.requests, 0);
  EXPECT_TRUE(std::filesystem::exists(file_ + ".damaged"));
}

TEST_F(LedgerTest, ManyRowsFromManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 1000; ++i) {
        add(record(std::to_string(t) + "-" + std::to_string(i), "gpt-4o", 1, 1, 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ledger_->report({})->totals.requests, 4000);
}

}  // namespace
}  // namespace agentsh::gateway
