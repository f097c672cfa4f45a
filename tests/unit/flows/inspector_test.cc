// The hooks for what understands more than HTTP.
#include "tests/unit/flows/fakes.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>

namespace agentsh::flows {
namespace {

using ::testing::HasSubstr;

struct Script {
  HeadAction request;
  HeadAction response;
  std::string refuse_request_with;  // When content holds this.
  std::string refuse_response_with;
  // What was seen.
  std::string request_content;
  std::string response_content;
  int request_ends = 0;
  int response_ends = 0;
  bool looks_after_switch = false;
  std::string refuse_collected_with;
  std::string host;
};

std::string upper(Bytes content) {
  std::string text(as_text(content));
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

// Says what it was told in capitals, and refuses a word.
class ScriptedSwitch final : public SwitchedInspector {
 public:
  std::optional<InspectorRefusal> on_bytes(Side, Bytes bytes, std::string& onward,
                                           std::string& back) override {
    onward += upper(bytes);
    if (as_text(bytes).find("secret") == std::string_view::npos) return {};
    onward = "BYE";
    back = "NO";
    InspectorRefusal refused;
    refused.code = "dlp_blocked";
    return refused;
  }
};

class ScriptedInspector final : public HttpInspector {
 public:
  explicit ScriptedInspector(Script& script) : script_(script) {}
  HeadAction on_request_head(const http::RequestHead&) override { return script_.request; }
  std::optional<InspectorRefusal> on_request_body(Bytes content, bool last,
                                                  std::string& out) override {
    script_.request_content += as_text(content);
    script_.request_ends += last;
    out += upper(content);
    return refusal(script_.refuse_request_with, script_.request_content);
  }
  boost::asio::awaitable<CollectedEnd> on_request_collected(std::string_view content,
                                                            boost::asio::any_io_executor) override {
    CollectedEnd end;
    end.edits.set.emplace_back("Authorization", "of " + std::string(content));
    end.refusal = refusal(script_.refuse_collected_with, std::string(content));
    co_return end;
  }
  HeadAction on_response_head(const http::ResponseHead&) override { return script_.response; }
  std::unique_ptr<SwitchedInspector> on_switch() override {
    if (!script_.looks_after_switch) return nullptr;
    return std::make_unique<ScriptedSwitch>();
  }
  std::optional<InspectorRefusal> on_response_body(Bytes content, bool last,
                                                   std::string& out) override {
    script_.response_content += as_text(content);
    script_.response_ends += last;
    out += upper(content);
    return refusal(script_.refuse_response_with, script_.response_content);
  }

 private:
  static std::optional<InspectorRefusal> refusal(const std::string& word,
                                                 const std::string& content) {
    if (word.empty() || content.find(word) == std::string::npos) return {};
    InspectorRefusal refused;
    refused.code = "dlp_blocked";
    refused.rule = "no-secrets";
    refused.message = "a secret";
    return refused;
  }
  Script& script_;
};

class ScriptedFactory final : public HttpInspectorFactory {
 public:
  explicit ScriptedFactory(Script& script) : script_(script) {}
  std::unique_ptr<HttpInspector> inspect(const policy::Actor&,
                                         const policy::HttpFacts& facts) override {
    script_.host = facts.host;
    return std::make_unique<ScriptedInspector>(script_);
  }

 private:
  Script& script_;
};

class InspectorTest : public ::testing::Test {
 protected:
  InspectorTest() {
    flow.policy->allow("a.example");
    flow.leases->add("a.example", "192.0.2.1");
    flow.inspectors = std::make_shared<ScriptedFactory>(script);
  }
  void post(std::string_view body) {
    flow.start();
    flow.client_sends(
        "POST /v1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\nAuthorization: fake\r\n\r\n" + std::string(body));
  }
  Script script;
  FlowHarness flow;
};

constexpr std::string_view kChunkedOk =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

TEST_F(InspectorTest, ObservesWithoutChangingAByte) {
  script.request.body = BodyUse::kObserve;
  script.response.body = BodyUse::kObserve;
  post("abc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  EXPECT_EQ(flow.read(*server.stream, 3), "abc");
  flow.send(*server.stream, kChunkedOk);
  EXPECT_EQ(flow.client_reads(kChunkedOk.size()), kChunkedOk);
  EXPECT_EQ(script.request_content, "abc");
  EXPECT_EQ(script.request_ends, 1);
  EXPECT_EQ(script.response_content, "hello world");
  EXPECT_EQ(script.response_ends, 1);
  EXPECT_EQ(script.host, "a.example");
}

TEST_F(InspectorTest, CollectedRequestsHaveAHeadThatDependsOnTheirContent) {
  script.request.body = BodyUse::kRewrite;
  script.request.collect_at_most = 100;
  flow.start();
  flow.client_sends(
      "POST /v1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n"
      "Authorization: fake\r\nExpect: 100-continue\r\n\r\n");
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(flow.client_reads(go_on.size()), go_on);
  flow.client_sends("2\r\nab\r\n");
  flow.settle();
  EXPECT_FALSE(flow.has_server()) << "nothing goes on before all is there";
  flow.client_sends("1\r\nc\r\n0\r\n\r\n");
  FarEnd server = flow.server();
  const std::string head = flow.read_head(*server.stream);
  EXPECT_THAT(head, HasSubstr("Authorization: of ABC\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_EQ(flow.read(*server.stream, 3), "ABC");
  flow.send(*server.stream, "HTTP/1.1 204 No\r\n\r\n");
  flow.read_head(flow.client());
  // The connection goes on with the next.
  script.request = {};
  flow.client_sends("GET /v2 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_THAT(flow.read_head(*server.stream), HasSubstr("GET /v2"));
}

TEST_F(InspectorTest, CollectedRequestsMayBeRefused) {
  script.request.body = BodyUse::kRewrite;
  script.request.collect_at_most = 3;
  script.refuse_collected_with = "AB";
  post("abc");
  EXPECT_THAT(flow.read_all(flow.client()), HasSubstr("403 "));
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

TEST_F(InspectorTest, CollectedRequestsHaveALimit) {
  script.request.body = BodyUse::kRewrite;
  script.request.collect_at_most = 3;
  post("abcd");
  EXPECT_THAT(flow.read_all(flow.client()), HasSubstr("413 "));
  flow.finish();
  EXPECT_FALSE(flow.has_server());
}

const std::string kAskSwitch =
    "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kSwitched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST_F(InspectorTest, SeesWhatIsSaidAfterASwitch) {
  script.looks_after_switch = true;
  flow.start();
  flow.client_sends(kAskSwitch + "early");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kSwitched + "frame");
  EXPECT_EQ(flow.client_reads(kSwitched.size() + 5), kSwitched + "FRAME");
  EXPECT_EQ(flow.read(*server.stream, 5), "EARLY");
  flow.client_sends("ping");
  EXPECT_EQ(flow.read(*server.stream, 4), "PING");
  flow.send(*server.stream, "pong");
  EXPECT_EQ(flow.client_reads(4), "PONG");
  flow.client_closes();
  EXPECT_EQ(flow.read_all(*server.stream), "");
  server.stream->close();
  flow.finish();
}

TEST_F(InspectorTest, EndsASwitchWithLastWordsForAClientThatIsRefused) {
  script.looks_after_switch = true;
  flow.start();
  flow.client_sends(kAskSwitch);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kSwitched);
  flow.client_reads(kSwitched.size());
  flow.client_sends("a secret");
  EXPECT_EQ(flow.read_all(*server.stream), "BYE");
  server.stream->close();
  EXPECT_EQ(flow.client_reads(2), "NO");
  flow.client_closes();
  flow.finish();
}

TEST_F(InspectorTest, EndsASwitchWithLastWordsForAServerThatIsRefused) {
  script.looks_after_switch = true;
  flow.start();
  flow.client_sends(kAskSwitch);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kSwitched);
  flow.client_reads(kSwitched.size());
  flow.send(*server.stream, "a secret");
  EXPECT_EQ(flow.read_all(*server.stream), "NO");
  server.stream->close();
  EXPECT_EQ(flow.client_reads(3), "BYE");
  flow.client_closes();
  flow.finish();
}

TEST_F(InspectorTest, PassShowsNoContent) {
  post("abc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.read(*server.stream, 3);
  flow.send(*server.stream, kChunkedOk);
  flow.client_reads(kChunkedOk.size());
  EXPECT_EQ(script.request_content, "");
  EXPECT_EQ(script.response_content, "");
}

TEST_F(InspectorTest, EditsHeadsAndRewritesContent) {
  script.request.body = BodyUse::kRewrite;
  script.request.edits.set = {{"Authorization", "real"}};
  script.response.body = BodyUse::kRewrite;
  script.response.edits.remove = {"Server"};
  post("abc");
  FarEnd server = flow.server();
  const std::string expected =
      "POST /v1 HTTP/1.1\r\nHost: a.example\r\nAuthorization: real\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nABC\r\n0\r\n\r\n";
  EXPECT_EQ(flow.read(*server.stream, expected.size()), expected);
  flow.send(*server.stream, "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello");
  const std::string reply =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHELLO\r\n0\r\n\r\n";
  EXPECT_EQ(flow.client_reads(reply.size()), reply);
}

TEST_F(InspectorTest, RewritesStreamedContentPieceByPiece) {
  script.request.body = BodyUse::kRewrite;
  flow.start();
  flow.client_sends("POST /v1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\nabc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  EXPECT_EQ(flow.read(*server.stream, 8), "3\r\nABC\r\n");
  flow.client_sends("def");
  EXPECT_EQ(flow.read(*server.stream, 13), "3\r\nDEF\r\n0\r\n\r\n");
}

TEST_F(InspectorTest, RefusedHeadIsNotSent) {
  script.request.refusal.emplace();
  script.request.refusal->status = 429;
  script.request.refusal->code = "budget_exceeded";
  post("abc");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "429 budget_exceeded");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(InspectorTest, RefusedContentThatCameWithTheHeadIsNotSent) {
  script.request.body = BodyUse::kObserve;
  script.refuse_request_with = "secret";
  post("a secret");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "403 dlp_blocked");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(InspectorTest, RefusedContentBreaksTheRequestOff) {
  script.request.body = BodyUse::kObserve;
  script.refuse_request_with = "secret";
  flow.start();
  flow.client_sends("POST /v1 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20\r\n\r\nabc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.client_sends("the secret");
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "403 dlp_blocked");
  EXPECT_EQ(flow.read_all(*server.stream), "abc");
}

TEST_F(InspectorTest, RefusedResponseHeadIsReplaced) {
  script.response.refusal.emplace();
  script.response.refusal->status = 502;
  script.response.refusal->code = "scrubbed";
  post("abc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kChunkedOk);
  EXPECT_EQ(error_code_of(flow.read_all(flow.client())), "502 scrubbed");
}

TEST_F(InspectorTest, RefusedResponseContentBreaksTheResponseOff) {
  script.response.body = BodyUse::kObserve;
  script.refuse_response_with = "secret";
  post("abc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabc");
  flow.settle();
  flow.send(*server.stream, " secret");
  EXPECT_THAT(flow.read_all(flow.client()), HasSubstr("\r\n\r\nabc"));
  flow.finish();
  EXPECT_EQ(FakePolicy::field(*flow.policy->event("net_http_request"), "failure"), "dlp_blocked");
}

TEST_F(InspectorTest, ResponseThatEndsWithTheConnection) {
  script.response.body = BodyUse::kRewrite;
  post("abc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.read(*server.stream, 3);
  flow.send(*server.stream, "HTTP/1.1 200 OK\r\n\r\nhello");
  server.stream->close();
  const std::string reply =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHELLO\r\n0\r\n\r\n";
  EXPECT_EQ(flow.client_reads(reply.size()), reply);
  EXPECT_EQ(script.response_ends, 1);
}

}  // namespace
}  // namespace agentsh::flows
