#include "policies/gate.h"

#include "base/file_io.h"
#include "policies/compiled_policy.h"
#include "policies/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace agentsh::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/agentsh-gate-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    auto recorder = audit::Recorder::open(
        {.directory = directory_ + "/audit", .key_file = directory_ + "/key", .index = false});
    ASSERT_TRUE(recorder) << recorder.error().what;
    recorder_ = std::move(*recorder);
    subscription_ = recorder_->subscribe(
        [this](const audit::RecordedEvent& event) { lines_.push_back(std::string(event.json)); });
  }
  void TearDown() override {
    subscription_.reset();
    recorder_.reset();
    std::filesystem::remove_all(directory_);
  }

  static std::shared_ptr<const CompiledPolicy> policy(std::string_view audit_block = "") {
    Diagnostics problems("p.yaml");
    auto policy = load_policy(
        "version: 1\nname: t\nnetwork_rules:\n"
        "  - {name: ok, domains: [ok.example], decision: allow}\n"
        "  - {name: noted, domains: [noted.example], decision: audit}\n"
        "  - {name: ask, domains: [ask.example], decision: approve, message: 'Really?'}\n" +
            std::string(audit_block),
        problems);
    return *CompiledPolicy::compile(std::move(*policy), {});
  }

  // Judges and settles a connection to `name`; the verdict lands in verdicts_.
  std::string settle(Gate& gate, std::string_view name) {
    audit::Event event("net_connect");
    event.domain = std::string(name);
    event.command_id = "cmd-1";
    const ConnectFacts facts{.name = name, .address = *IpAddress::parse("1.1.1.1"), .port = 443};
    return gate.settle(gate.judge(facts), {.kind = "network", .target = std::string(name)},
                       std::move(event),
                       [this](Verdict verdict) { verdicts_.push_back(std::move(verdict)); });
  }

  // The events so far, one line of JSON each.
  std::vector<std::string> events() {
    EXPECT_TRUE(recorder_->flush());
    return lines_;
  }

  std::string directory_;
  std::unique_ptr<audit::Recorder> recorder_;
  std::shared_ptr<audit::Recorder::Subscription> subscription_;
  std::vector<std::string> lines_;
  std::vector<Verdict> verdicts_;
};

TEST_F(GateTest, DecidesAndRecordsInOneStep) {
  ApprovalQueue queue({});
  Gate gate("session-1", policy(), *recorder_, queue);
  EXPECT_EQ(settle(gate, "ok.example"), "");
  EXPECT_EQ(settle(gate, "bad.example"), "");
  ASSERT_EQ(verdicts_.size(), 2u);
  EXPECT_TRUE(verdicts_[0].permitted());
  EXPECT_FALSE(verdicts_[1].permitted());
  const auto lines = events();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], HasSubstr("\"decision\":\"allow\""));
  EXPECT_THAT(lines[0], HasSubstr("session-1"));
  EXPECT_THAT(lines[1], HasSubstr("\"rule\":\"default-deny-network\""));
}

TEST_F(GateTest, ApprovalWithoutAChannelIsDeniedAtOnce) {
  ApprovalQueue queue({});
  Gate gate("s", policy(), *recorder_, queue);
  EXPECT_EQ(settle(gate, "ask.example"), "");
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_FALSE(verdicts_[0].permitted());
  EXPECT_EQ(verdicts_[0].decision(), Decision::kApprove);
  EXPECT_EQ(verdicts_[0].effective(), Decision::kDeny);
  EXPECT_THAT(verdicts_[0].message(), HasSubstr("approvals are not enabled"));
  const auto lines = events();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], HasSubstr("\"effective_decision\":\"deny\""));
}

TEST_F(GateTest, AnApprovedConnectionGoesOn) {
  ApprovalQueue queue({.enabled = true});
  Gate gate("s", policy(), *recorder_, queue);
  const std::string id = settle(gate, "ask.example");
  ASSERT_NE(id, "");
  EXPECT_TRUE(verdicts_.empty());
  ASSERT_EQ(queue.pending().size(), 1u);
  EXPECT_EQ(queue.pending()[0].request.message, "Really?");
  EXPECT_EQ(queue.pending()[0].request.command_id, "cmd-1");
  ASSERT_TRUE(queue.resolve(id, true, "ok", "alice"));
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_TRUE(verdicts_[0].permitted());
  EXPECT_EQ(verdicts_[0].approval_id(), id);
  const auto lines = events();
  EXPECT_THAT(lines, ElementsAre(HasSubstr("approval_requested"), HasSubstr("approval_resolved"),
                                 HasSubstr("net_connect")));
  EXPECT_THAT(lines[1], HasSubstr("alice"));
  EXPECT_THAT(lines[2], HasSubstr(id));
}

TEST_F(GateTest, AGateThatGoesWithdrawsWhatItWaitsFor) {
  ApprovalQueue queue({.enabled = true});
  {
    Gate gate("s", policy(), *recorder_, queue);
    settle(gate, "ask.example");
  }
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_FALSE(verdicts_[0].permitted());
  EXPECT_TRUE(queue.pending().empty());
}

TEST_F(GateTest, TheAuditBlockSaysWhatIsRecorded) {
  ApprovalQueue queue({});
  Gate gate("s", policy("audit: {log_allowed: false, log_denied: false}\n"), *recorder_, queue);
  settle(gate, "ok.example");
  settle(gate, "bad.example");
  settle(gate, "noted.example");
  gate.record(audit::Event("net_close"));
  EXPECT_THAT(events(), ElementsAre(HasSubstr("noted.example"), HasSubstr("net_close")));
}

TEST_F(GateTest, ANewPolicyHoldsForWhatComesAfter) {
  ApprovalQueue queue({});
  Gate gate("s", policy(), *recorder_, queue);
  settle(gate, "ok.example");
  Diagnostics problems("p.yaml");
  gate.set_policy(*CompiledPolicy::compile(*load_policy("version: 1\nname: t\n", problems), {}));
  settle(gate, "ok.example");
  EXPECT_TRUE(verdicts_[0].permitted());
  EXPECT_FALSE(verdicts_[1].permitted());
}

}  // namespace
}  // namespace agentsh::policy
