// Several inspectors as one: who sees what, in which order.
#include "proxy/flows/inspector_chain.h"

#include "base/bytes.h"

#include <gmock/gmock.h>

namespace agentsh::flows {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// Adds its letter to content, wherever it is.
class Letter final : public HttpInspector {
 public:
  Letter(char letter, HeadAction request, HeadAction response, std::string& seen)
      : letter_(letter),
        request_(std::move(request)),
        response_(std::move(response)),
        seen_(seen) {}

  std::optional<InspectorQuestion> question() override {
    if (asked_) return {};
    asked_ = true;
    return InspectorQuestion{
        policy::Verdict::allow(std::string(1, letter_)), {}, audit::Event("e")};
  }
  HeadAction on_request_head(const http::RequestHead&) override { return request_; }
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override {
    return edit(content, last, out);
  }
  HeadAction on_response_head(const http::ResponseHead&) override { return response_; }
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override {
    return edit(content, last, out);
  }

 private:
  std::optional<InspectorRefusal> edit(Bytes content, bool last, std::string& out) {
    seen_ += letter_;
    seen_ += as_text(content);
    if (last) seen_ += '.';
    out += as_text(content);
    out += letter_;
    return {};
  }
  const char letter_;
  const HeadAction request_;
  const HeadAction response_;
  std::string& seen_;
  bool asked_ = false;
};

struct Two {
  explicit Two(HeadAction first, HeadAction second) {
    std::vector<std::unique_ptr<HttpInspector>> list;
    list.push_back(std::make_unique<Letter>('a', first, first, seen));
    list.push_back(std::make_unique<Letter>('b', second, second, seen));
    chain = std::make_unique<InspectorChain>(std::move(list));
  }
  std::string request(std::string_view content, bool last) {
    std::string out;
    EXPECT_FALSE(chain->on_request_body(as_bytes(content), last, out));
    return out;
  }
  std::string response(std::string_view content, bool last) {
    std::string out;
    EXPECT_FALSE(chain->on_response_body(as_bytes(content), last, out));
    return out;
  }
  std::string seen;
  std::unique_ptr<InspectorChain> chain;
};

TEST(InspectorChain, TheFirstIsNearestToTheServer) {
  Two two({.body = BodyUse::kRewrite}, {.body = BodyUse::kRewrite});
  EXPECT_EQ(two.chain->on_request_head({}).body, BodyUse::kRewrite);
  EXPECT_EQ(two.request("x", true), "xba");
  EXPECT_EQ(two.chain->on_response_head({}).body, BodyUse::kRewrite);
  EXPECT_EQ(two.response("y", false), "yab");
  EXPECT_EQ(two.seen, "bx.axb.aybya");
}

TEST(InspectorChain, ObserversChangeNothingAndPassersSeeNothing) {
  Two watched({.body = BodyUse::kObserve}, {.body = BodyUse::kRewrite});
  watched.chain->on_request_head({});
  EXPECT_EQ(watched.request("x", false), "xb");
  EXPECT_EQ(watched.seen, "bxaxb");
  Two passed({}, {.body = BodyUse::kSubstitute});
  EXPECT_EQ(passed.chain->on_request_head({}).body, BodyUse::kSubstitute);
  EXPECT_EQ(passed.request("x", true), "xb");
  EXPECT_EQ(passed.seen, "bx.");
}

TEST(InspectorChain, EditsOfTheFirstComeFirstAndARefusalEndsIt) {
  HeadAction first;
  first.edits.set = {{"A", "1"}};
  first.edits.target = "/first";
  HeadAction second;
  second.edits.set = {{"A", "2"}};
  second.edits.target = "/second";
  Two edited(first, second);
  const HeadAction all = edited.chain->on_request_head({});
  EXPECT_EQ(all.edits.target, "/first");
  EXPECT_THAT(all.edits.set, ElementsAre(Pair("A", "1"), Pair("A", "2")));
  first.refusal.emplace().code = "no";
  Two refused(first, second);
  EXPECT_EQ(refused.chain->on_request_head({}).refusal->code, "no");
}

TEST(InspectorChain, EveryQuestionIsAsked) {
  Two two({}, {});
  std::string rules;
  while (auto question = two.chain->question()) rules += question->verdict.rule();
  EXPECT_EQ(rules, "ab");
}

}  // namespace
}  // namespace agentsh::flows
