// The inspector: which requests it takes, and that the flow is told what the exchange says.
#include "proxy/llm/inspector.h"

#include "proxy/codec/http/message_reader.h"
#include "tests/unit/dlp/sample_detectors.h"
#include "tests/unit/llm/exchange_run.h"

#include <gtest/gtest.h>

namespace agentsh::llm {
namespace {

using flows::BodyUse;

class LlmInspector : public testing::Test {
 protected:
  std::unique_ptr<flows::HttpInspector> inspect(std::string_view host, std::string_view path) {
    const policy::Actor actor{.command_id = "cmd-1"};
    return make_inspector_factory(services_)->inspect(
        actor, {.method = "POST", .scheme = "https", .host = host, .port = 443, .path = path});
  }

  const http::RequestHead& request(std::string text) {
    text_ = std::move(text);
    EXPECT_GT(requests_.read_head(as_bytes(text_)).size, 0U);
    return requests_.head();
  }

  std::shared_ptr<LlmServices> services_ = tokenizing_services();
  http::RequestReader requests_;
  std::string text_;
};

constexpr const char* kHead =
    "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Type: application/json\r\n"
    "Accept-Encoding: gzip, br\r\nContent-Length: 5\r\n\r\n";

TEST_F(LlmInspector, TakesLlmRequestsOnly) {
  EXPECT_NE(inspect("api.anthropic.com", "/v1/messages"), nullptr);
  EXPECT_EQ(inspect("example.com", "/v1/messages"), nullptr);
}

constexpr const char* kUpgrade =
    "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: api.openai.com\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST_F(LlmInspector, NothingGoesOnUnseen) {
  const auto factory = make_inspector_factory(services_);
  EXPECT_TRUE(factory->http_only("api.openai.com"));
  EXPECT_FALSE(factory->http_only("example.com"));
  EXPECT_FALSE(factory->opens_tls("api.openai.com")) << "passthrough is what somebody asked for";
  // Of a WebSocket that no table knows nothing can be looked at.
  const auto refusal =
      inspect("api.openai.com", "/v1/responses")->on_request_head(request(kUpgrade)).refusal;
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "upgrade_not_inspected");
}

TEST_F(LlmInspector, LooksIntoWhatIsSaidAfterASwitch) {
  for (const char* extensions : {"permessage-deflate", "x-unknown"}) {
    const auto inspector =
        make_inspector_factory(services_)->inspect({}, {.method = "GET",
                                                        .scheme = "https",
                                                        .host = "api.openai.com",
                                                        .port = 443,
                                                        .path = "/v1/realtime?model=gpt-realtime"});
    ASSERT_NE(inspector, nullptr);
    EXPECT_FALSE(inspector->on_request_head(request(kUpgrade)).refusal);
    http::ResponseReader responses;
    responses.expect({.websocket = true});
    const std::string head = std::string(
                                 "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\n"
                                 "Upgrade: websocket\r\nSec-WebSocket-Extensions: ") +
                             extensions + "\r\n\r\n";
    ASSERT_GT(responses.read_head(as_bytes(head)).size, 0U);
    const bool readable = std::string_view(extensions) == "permessage-deflate";
    EXPECT_EQ(inspector->on_response_head(responses.head()).refusal.has_value(), !readable);
    EXPECT_EQ(inspector->on_switch() != nullptr, readable);
  }
}

TEST_F(LlmInspector, WhatNobodyLooksIntoMayBeUpgraded) {
  services_->request_profile = nullptr;
  EXPECT_FALSE(make_inspector_factory(services_)->http_only("api.openai.com"));
  EXPECT_FALSE(
      inspect("api.openai.com", "/v1/realtime")->on_request_head(request(kUpgrade)).refusal);
}

TEST_F(LlmInspector, EditsBothSides) {
  const auto inspector = inspect("api.anthropic.com", "/v1/messages");
  const flows::HeadAction begin = inspector->on_request_head(request(kHead));
  EXPECT_EQ(begin.body, BodyUse::kRewrite);
  ASSERT_EQ(begin.edits.set.size(), 1U);
  EXPECT_EQ(begin.edits.set[0].second, "identity");
  std::string out;
  EXPECT_FALSE(inspector->on_request_body(
      as_bytes(R"({"model":"claude-opus-4-5","system":"jane.doe@example.com"})"), true, out));
  const std::string token = placeholder("jane.doe@example.com");
  EXPECT_NE(out.find(token), std::string::npos);

  http::ResponseReader responses;
  responses.expect({});
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
  ASSERT_GT(responses.read_head(as_bytes(head)).size, 0U);
  EXPECT_EQ(inspector->on_response_head(responses.head()).body, BodyUse::kRewrite);
  out.clear();
  EXPECT_FALSE(inspector->on_response_body(
      as_bytes(R"({"content":[{"type":"text","text":")" + token + R"("}]})"), true, out));
  EXPECT_NE(out.find("jane.doe@example.com"), std::string::npos);
}

TEST_F(LlmInspector, RefusesInTheDialectsShape) {
  services_->request_profile = dlp::sample_profile({.mode = dlp::Mode::kBlock});
  const auto inspector = inspect("api.anthropic.com", "/v1/messages");
  inspector->on_request_head(request(kHead));
  std::string out;
  const auto refusal =
      inspector->on_request_body(as_bytes(R"({"system":"jane.doe@example.com"})"), true, out);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 403);
  EXPECT_EQ(refusal->code, "dlp_blocked");
  EXPECT_EQ(refusal->content_type, "application/json");
  EXPECT_TRUE(refusal->body.starts_with(R"({"type":"error","error":{"type":"permission_error")"));
  EXPECT_EQ(out.find("jane"), std::string::npos);
}

TEST_F(LlmInspector, EncodedRequestsAreRefusedWhenTheyHaveToBeRead) {
  const auto inspector = inspect("api.anthropic.com", "/v1/messages");
  const flows::HeadAction action =
      inspector->on_request_head(request("POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
                                         "Content-Encoding: snappy\r\nContent-Length: 5\r\n\r\n"));
  ASSERT_TRUE(action.refusal);
  EXPECT_EQ(action.refusal->status, 415);
}

}  // namespace
}  // namespace agentsh::llm
