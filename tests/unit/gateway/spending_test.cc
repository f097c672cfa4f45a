// Limits as exchanges meet them: estimates, refusals, what survives a restart; metrics.
#include "proxy/gateway/spending.h"

#include "proxy/gateway/estimate.h"
#include "proxy/gateway/metrics.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace agentsh::gateway {
namespace {

using llm::Dialect;

class SpendingTest : public testing::Test {
 protected:
  SpendingTest() {
    std::string name = testing::TempDir() + "spendingXXXXXX";
    directory_ = ::mkdtemp(name.data());
    open();
  }
  ~SpendingTest() override {
    control_.reset();
    ledger_.reset();
    std::filesystem::remove_all(directory_);
  }

  void open(SpendingLimits limits = {}) {
    control_.reset();
    ledger_.reset();
    ledger_ = Ledger::open(directory_ + "/ledger.sqlite").value();
    control_ = std::make_shared<SpendingControl>(ledger_, std::move(limits), nullptr);
  }
  static llm::Target target(std::string provider = "openai") {
    return {.dialect = Dialect::kChat, .family = llm::Family::kOpenAi, .provider = provider};
  }
  static llm::RequestFacts request(std::uint64_t bytes, std::uint64_t most,
                                   std::string model = "gpt-4o") {
    return {.model = std::move(model), .max_tokens = most, .bytes = bytes};
  }
  static llm::Record record(std::string id, std::uint64_t input, std::uint64_t output) {
    llm::Record made;
    made.id = std::move(id);
    made.key_id = "k";
    made.started = std::chrono::system_clock::now();
    made.provider = "openai";
    made.model_asked = "gpt-4o";
    made.status = 200;
    made.usage = {.input = input, .output = output, .known = true};
    made.cost.nano_dollars = input * 2500 + output * 10'000;
    return made;
  }

  std::string directory_;
  std::shared_ptr<Ledger> ledger_;
  std::shared_ptr<SpendingControl> control_;
};

TEST_F(SpendingTest, EstimatesAreNoLessThanAnyCost) {
  const auto day = std::chrono::sys_days(std::chrono::days(20'780));
  const Estimate most = most_of(target(), request(1000, 50), control_->prices(), day);
  EXPECT_EQ(most.tokens, 1050u);
  EXPECT_EQ(most.nano_dollars, 1000u * 2500 + 50 * 10'000);
  // Several answers are asked for at once.
  llm::RequestFacts several = request(1000, 50);
  several.answers = 4;
  EXPECT_EQ(most_of(target(), several, control_->prices(), day).tokens, 1200u);
  several.answers = UINT64_MAX;
  EXPECT_EQ(most_of(target(), several, control_->prices(), day).tokens, UINT64_MAX);
  // Without a limit of its own, as long as the model can answer.
  EXPECT_EQ(most_of(target(), request(0, 0), control_->prices(), day).tokens, 16'384u);
  EXPECT_EQ(longest_answer("claude-sonnet-4-5-20250929"), 64'000u);
  EXPECT_EQ(longest_answer("something-new"), 131'072u);
  // Writing to a cache for an hour costs twice the input.
  llm::Target messages{.dialect = Dialect::kMessages, .provider = "anthropic"};
  const Estimate cached =
      most_of(messages, request(1000, 1, "claude-sonnet-4-5"), control_->prices(), day);
  EXPECT_EQ(cached.nano_dollars, 1000u * 6000 + 15'000);
  EXPECT_FALSE(most_of(target(), request(1, 1, "nobody-knows"), control_->prices(), day)
                   .nano_dollars.has_value());
}

TEST_F(SpendingTest, AKeysBudgetIsReservedAndSettled) {
  auto budget = control_->for_key("k", {.budgets = {parse_budget("2000 tokens/day").value()}});
  EXPECT_FALSE(budget->reserve("r1", target(), request(1000, 500)));
  const auto refused = budget->reserve("r2", target(), request(1000, 500));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_EQ(refused->code, "token_budget_exceeded");
  EXPECT_TRUE(refused->retry_after);
  EXPECT_NE(refused->message.find("key:k"), std::string::npos) << refused->message;
  budget->settle(record("r1", 200, 20));
  EXPECT_FALSE(budget->reserve("r3", target(), request(1000, 500)));
  EXPECT_EQ(control_->used("key:k", Period::kDay).tokens, 220u);
}

TEST_F(SpendingTest, WhatIsUsedSurvivesARestart) {
  const Limits limits{.budgets = {parse_budget("0.01/day").value()}};
  auto budget = control_->for_key("k", limits);
  EXPECT_FALSE(budget->reserve("r1", target(), request(1000, 100)));
  const llm::Record spent = record("r1", 3000, 100);  // 0.0085 dollars.
  budget->settle(spent);
  ledger_->add(to_row(spent));
  budget.reset();
  open();
  budget = control_->for_key("k", limits);
  const auto refused = budget->reserve("r2", target(), request(1000, 100));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, "budget_exceeded");
  EXPECT_FALSE(budget->reserve("r3", target(), request(100, 100)));
}

TEST_F(SpendingTest, UnpricedModelsAreRefusedWhereMoneyIsLimited) {
  auto budget = control_->for_key("k", {.budgets = {parse_budget("10/day").value()}});
  const auto refused = budget->reserve("r1", target("house"), request(10, 10, "house-model"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_EQ(refused->code, "model_unpriced");
}

TEST_F(SpendingTest, ModelsAndAllTogetherHaveLimitsToo) {
  open({.everything = {.concurrent = 2}, .models = {{"gpt-*", {.concurrent = 1}}}});
  auto one = control_->for_session("s1");
  auto other = control_->for_session("s2");
  EXPECT_FALSE(one->reserve("r1", target(), request(1, 1)));
  const auto second = other->reserve("r2", target(), request(1, 1));
  ASSERT_TRUE(second);
  EXPECT_NE(second->message.find("model:gpt-*"), std::string::npos);
  EXPECT_FALSE(other->reserve("r3", target(), request(1, 1, "o3")));
  EXPECT_TRUE(other->reserve("r4", target(), request(1, 1, "o3")));
  one->settle(record("r1", 1, 1));
  EXPECT_FALSE(other->reserve("r5", target(), request(1, 1)));
}

TEST_F(SpendingTest, WithoutLimitsThereIsNothingToAsk) {
  EXPECT_EQ(control_->for_session("s1"), nullptr);
}

TEST_F(SpendingTest, LeavingBeforeTheCountIsNotFree) {
  auto budget = control_->for_key("k", {.budgets = {parse_budget("5000 tokens/day").value()}});
  EXPECT_FALSE(budget->reserve("r1", target(), request(1000, 500)));
  llm::Record left = record("r1", 0, 0);
  left.usage = {};
  left.cost = {};
  left.ending = llm::Ending::kInterrupted;
  budget->settle(left);
  EXPECT_EQ(control_->used("key:k", Period::kDay).tokens, 1500u);
  // A provider's error is.
  EXPECT_FALSE(budget->reserve("r2", target(), request(1000, 500)));
  llm::Record error = left;
  error.id = "r2";
  error.status = 500;
  budget->settle(error);
  EXPECT_EQ(control_->used("key:k", Period::kDay).tokens, 1500u);
}

TEST_F(SpendingTest, MetricsCountWhatWasRecorded) {
  LlmMetrics metrics;
  llm::Record one = record("r1", 1000, 100);
  one.dialect = Dialect::kChat;
  one.duration = std::chrono::milliseconds(1500);
  one.first_byte = std::chrono::milliseconds(200);
  one.findings = {{.detector = "email", .action = "redact", .field = "x", .count = 3}};
  metrics.take(one);
  std::string text;
  metrics.write(text);
  for (const char* line :
       {"agentsh_llm_requests_total{provider=\"openai\",dialect=\"chat\",model=\"gpt-4o\","
        "status=\"200\"} 1\n",
        "agentsh_llm_tokens_total{provider=\"openai\",model=\"gpt-4o\",kind=\"input\"} 1000\n",
        "agentsh_llm_cost_dollars_total{provider=\"openai\",model=\"gpt-4o\"} 0.003500000\n",
        "agentsh_llm_dlp_findings_total{detector=\"email\",action=\"redact\"} 3\n",
        "agentsh_llm_request_duration_seconds_bucket{provider=\"openai\",dialect=\"chat\","
        "le=\"1\"} 0\n",
        "agentsh_llm_request_duration_seconds_bucket{provider=\"openai\",dialect=\"chat\","
        "le=\"2.5\"} 1\n",
        "agentsh_llm_request_duration_seconds_count{provider=\"openai\",dialect=\"chat\"} 1\n",
        "agentsh_llm_first_byte_seconds_sum{provider=\"openai\",dialect=\"chat\"} 0.2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST_F(SpendingTest, NamesFromClientsDoNotFillTheMetrics) {
  LlmMetrics metrics;
  for (int i = 0; i < 5000; ++i) {
    llm::Record one = record("r", 1, 1);
    one.model_asked = "model-\"\n" + std::to_string(i);
    metrics.take(one);
  }
  std::string text;
  metrics.write(text);
  EXPECT_LT(text.size(), 250'000u);
  EXPECT_NE(text.find("model=\"other\""), std::string::npos);
  EXPECT_NE(text.find("model=\"model-\\\"_0\""), std::string::npos);
}

}  // namespace
}  // namespace agentsh::gateway
