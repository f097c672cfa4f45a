#include "policies/approval_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace agentsh::policy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// What a queue called back, in order.
struct Answers {
  std::vector<ApprovalAnswer> given;
  ApprovalQueue::Callback callback() {
    return [this](ApprovalAnswer answer) { given.push_back(std::move(answer)); };
  }
};

ApprovalRequest request(std::string session, std::string target = "t") {
  return {.session_id = std::move(session), .kind = "network", .target = std::move(target)};
}

TEST(ApprovalQueue, WithoutAnApproverTheAnswerIsNoAtOnce) {
  Answers answers;
  ApprovalQueue queue({});
  queue.submit(request("s"), seconds(60), answers.callback());
  ASSERT_EQ(answers.given.size(), 1u);
  EXPECT_EQ(answers.given[0].outcome, ApprovalOutcome::kNoApprover);
  EXPECT_TRUE(queue.pending().empty());
}

TEST(ApprovalQueue, EachIsAnsweredOnce) {
  Answers answers;
  ApprovalQueue queue({.enabled = true});
  const std::string yes = queue.submit(request("s"), seconds(60), answers.callback());
  const std::string no = queue.submit(request("s"), seconds(60), answers.callback());
  EXPECT_TRUE(yes.starts_with("approval-"));
  EXPECT_EQ(queue.pending().size(), 2u);
  EXPECT_TRUE(queue.resolve(yes, true, "fine", "root"));
  EXPECT_TRUE(queue.resolve(no, false, "", "root"));
  EXPECT_FALSE(queue.resolve(yes, false, "again", "root"));
  EXPECT_EQ(queue.resolve("approval-none", true, "", "root").error().code,
            std::errc::no_such_file_or_directory);
  ASSERT_EQ(answers.given.size(), 2u);
  EXPECT_EQ(answers.given[0].outcome, ApprovalOutcome::kApproved);
  EXPECT_EQ(answers.given[0].reason, "fine");
  EXPECT_EQ(answers.given[0].resolved_by, "root");
  EXPECT_EQ(answers.given[1].outcome, ApprovalOutcome::kDenied);
  EXPECT_FALSE(answers.given[1].reason.empty());
}

TEST(ApprovalQueue, WaitingTooLongIsADenial) {
  Answers answers;
  ApprovalQueue queue({.enabled = true});
  const auto now = std::chrono::steady_clock::now();
  queue.submit(request("s"), seconds(10), answers.callback());
  queue.submit(request("s"), hours(24 * 365 * 200), answers.callback());
  EXPECT_LE(queue.expire(now), now + seconds(11));
  EXPECT_TRUE(answers.given.empty());
  const auto next = queue.expire(now + seconds(20));
  EXPECT_GT(next, now + hours(24 * 364));
  ASSERT_EQ(answers.given.size(), 1u);
  EXPECT_EQ(answers.given[0].outcome, ApprovalOutcome::kTimedOut);
  queue.expire(now + hours(24 * 366));
  EXPECT_EQ(queue.expire(now), std::chrono::steady_clock::time_point::max());
}

TEST(ApprovalQueue, WaitersThatAreGoneAreWithdrawn) {
  Answers answers;
  {
    ApprovalQueue queue({.enabled = true});
    const std::string id = queue.submit(request("a"), seconds(60), answers.callback());
    queue.submit(request("b"), seconds(60), answers.callback());
    queue.submit(request("c"), seconds(60), answers.callback());
    queue.abandon(id);
    queue.abandon("approval-none");
    queue.abandon_session("b");
    EXPECT_EQ(queue.pending().size(), 1u);
  }
  ASSERT_EQ(answers.given.size(), 3u);
  for (const ApprovalAnswer& answer : answers.given) {
    EXPECT_EQ(answer.outcome, ApprovalOutcome::kAbandoned);
  }
}

TEST(ApprovalQueue, AFloodIsDenied) {
  Answers answers;
  ApprovalQueue queue({.enabled = true, .max_pending = 3});
  for (int i = 0; i < 5; ++i) queue.submit(request("s"), seconds(60), answers.callback());
  EXPECT_EQ(queue.pending().size(), 3u);
  ASSERT_EQ(answers.given.size(), 2u);
  EXPECT_EQ(answers.given[0].outcome, ApprovalOutcome::kDenied);
}

TEST(ApprovalQueue, ACallbackMayUseTheQueue) {
  Answers answers;
  ApprovalQueue queue({.enabled = true});
  const std::string id = queue.submit(request("s"), seconds(60), [&](const ApprovalAnswer&) {
    queue.submit(request("s"), seconds(60), answers.callback());
  });
  EXPECT_TRUE(queue.resolve(id, true, "", "root"));
  EXPECT_EQ(queue.pending().size(), 1u);
}

TEST(ApprovalQueue, ManyThreadsAnswerEachRequestOnce) {
  ApprovalQueue queue({.enabled = true, .max_pending = 100'000});
  std::atomic<int> answered = 0;
  std::vector<std::string> ids;
  for (int i = 0; i < 2000; ++i) {
    ids.push_back(
        queue.submit(request("s"), seconds(60), [&](const ApprovalAnswer&) { ++answered; }));
  }
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (const std::string& id : ids) {
          if (t % 2 == 0) {
            (void)queue.resolve(id, true, "", "root");
          } else {
            queue.abandon(id);
          }
        }
      });
    }
  }
  EXPECT_EQ(answered, 2000);
}

}  // namespace
}  // namespace agentsh::policy
