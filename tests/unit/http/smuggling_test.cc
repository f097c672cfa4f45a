#include "tests/unit/http/request_pipe.h"
#include "tests/unit/http/smuggling_cases.h"

#include <gtest/gtest.h>

#include <set>

namespace agentsh::http {
namespace {

RequestPipe run(const std::vector<std::string_view>& pieces) {
  RequestPipe pipe;
  for (std::string_view piece : pieces) pipe.feed(piece);
  return pipe;
}

TEST(Smuggling, EveryPayloadIsRefusedOrReadInOneWay) {
  for (const SmugglingCase& one : all_smuggling_cases()) {
    SCOPED_TRACE(one.name);
    const RequestPipe pipe = run({one.payload});
    EXPECT_EQ(describe(pipe.refusal()).code, describe(one.refusal).code);
    EXPECT_EQ(pipe.complete_messages(), one.requests);
  }
}

TEST(Smuggling, TheAnswerDoesNotDependOnHowTheBytesArrive) {
  for (const SmugglingCase& one : all_smuggling_cases()) {
    SCOPED_TRACE(one.name);
    if (one.payload.size() > 10000) continue;  // Quadratic; the limits have tests of their own.
    const RequestPipe whole = run({one.payload});
    for_each_cut(one.payload, [&](const std::vector<std::string_view>& pieces) {
      const RequestPipe cut = run(pieces);
      ASSERT_EQ(describe(cut.refusal()).code, describe(whole.refusal()).code);
      ASSERT_EQ(cut.messages(), whole.messages());
      ASSERT_EQ(cut.output(), whole.output());
    });
  }
}

TEST(Smuggling, WhatIsForwardedIsReadTheSameAgain) {
  for (const SmugglingCase& one : all_smuggling_cases()) {
    SCOPED_TRACE(one.name);
    if (one.payload.starts_with("CONNECT")) continue;  // Ends here, see RequestPipe.
    const RequestPipe first = run({one.payload});
    const RequestPipe second = run({first.output()});
    EXPECT_EQ(second.refusal(), Refusal::kNone);
    ASSERT_EQ(second.messages().size(), first.messages().size());
    for (std::size_t i = 0; i < first.complete_messages(); ++i) {
      EXPECT_EQ(second.messages()[i], first.messages()[i]);
    }
    EXPECT_EQ(second.output(), first.output());
  }
}

TEST(Smuggling, ThereAreManyCasesWithDistinctNames) {
  std::set<std::string> names;
  for (const SmugglingCase& one : all_smuggling_cases()) {
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
  }
  EXPECT_GE(names.size(), 200u);
}

}  // namespace
}  // namespace agentsh::http
