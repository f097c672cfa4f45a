#include "proxy/codec/http/head_writer.h"

#include "base/json_reader.h"
#include "proxy/codec/http/error_page.h"
#include "proxy/codec/http/head_parser.h"

#include <gtest/gtest.h>

namespace agentsh::http {
namespace {

std::string rewritten(std::string_view text, const RequestRewrite& rewrite = {}) {
  RequestHead head;
  EXPECT_EQ(describe(parse_request_head(text, head)).code, "none");
  std::string out;
  write_request_head(head, rewrite, out);
  return out;
}

std::string rewritten_response(std::string_view text, const ResponseRewrite& rewrite = {},
                               const ResponseContext& context = {}) {
  ResponseHead head;
  EXPECT_EQ(describe(parse_response_head(text, context, head)).code, "none");
  std::string out;
  write_response_head(head, rewrite, out);
  return out;
}

TEST(RequestWriter, NothingToChangeIsByteExact) {
  const std::string_view text =
      "POST /x?y=%2e HTTP/1.1\r\nhost:A.example\r\nUser-Agent:  curl \r\nX-b: \xff\r\nx-B:\r\n"
      "Accept: */*\r\nVia: 1.0 y\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(rewritten(text), text);
}

TEST(RequestWriter, HopByHopFieldsGo) {
  EXPECT_EQ(rewritten("GET / HTTP/1.1\r\nConnection: keep-alive, X-Hop\r\nHost: a\r\nX-Hop: 1\r\n"
                      "A: b\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                      "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n"
                      "x-hop: 2\r\nC: d\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n");
}

TEST(RequestWriter, AbsoluteFormBecomesOriginForm) {
  EXPECT_EQ(rewritten("GET http://a.example:8080/x?y HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"),
            "GET /x?y HTTP/1.1\r\nHost: a.example:8080\r\n\r\n");
  EXPECT_EQ(rewritten("GET http://a.example HTTP/1.0\r\nHost: a.example\r\n\r\n"),
            "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(rewritten("OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n");
}

TEST(RequestWriter, NextProxyGetsTheAbsoluteFormAndItsCredentials) {
  EXPECT_EQ(rewritten("GET /x HTTP/1.1\r\nHost: a\r\nProxy-Authorization: mine\r\n\r\n",
                      {.origin = "http://a:80", .proxy_authorization = "Basic eA=="}),
            "GET http://a:80/x HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic eA==\r\n\r\n");
  EXPECT_EQ(rewritten("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {.origin = "http://a:80"}),
            "OPTIONS http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(RequestWriter, WebSocketKeepsItsFields) {
  EXPECT_EQ(rewritten("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
                      "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
                      {.close = true}),
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Key: x\r\n\r\n");
}

TEST(RequestWriter, CloseIsSaidOnce) {
  EXPECT_EQ(rewritten("GET / HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n", {.close = true}),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

TEST(RequestWriter, EditsReplaceRemoveAndAdd) {
  const HeadEdits edits{.set = {{"authorization", "Bearer real"}, {"X-New", "1"}},
                        .remove = {"cookie"}};
  EXPECT_EQ(rewritten("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer fake\r\nA: b\r\n"
                      "AUTHORIZATION: again\r\nCookie: x\r\nC: d\r\n\r\n",
                      {.edits = &edits}),
            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer real\r\nA: b\r\nC: d\r\n"
            "X-New: 1\r\n\r\n");
}

TEST(RequestWriter, NewFramingReplacesTheOld) {
  EXPECT_EQ(rewritten("POST / HTTP/1.1\r\nContent-Length: 5\r\nHost: a\r\n\r\n",
                      {.framing = Framing{BodyKind::kChunked, 0}}),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(rewritten("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nHost: a\r\n"
                      "\r\n",
                      {.framing = Framing{BodyKind::kLength, 7}}),
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n");
}

TEST(ResponseWriter, HopByHopFieldsGo) {
  EXPECT_EQ(rewritten_response("HTTP/1.1 200 OK\r\nServer: nginx\r\nConnection: keep-alive\r\n"
                               "Keep-Alive: timeout=5\r\nUpgrade: h2\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseWriter, ConnectionIsOurs) {
  constexpr std::string_view kText =
      "HTTP/1.0 200 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(rewritten_response(kText, {.close = true}),
            "HTTP/1.0 200 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(rewritten_response(kText, {.keep_alive = true}),
            "HTTP/1.0 200 \r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseWriter, SwitchingProtocolsKeepsItsFields) {
  constexpr std::string_view kText =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
      "Sec-WebSocket-Accept: x\r\n\r\n";
  EXPECT_EQ(rewritten_response(kText, {}, {.websocket = true}),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: x\r\n\r\n");
}

TEST(ResponseWriter, ChunkedIsTakenOutForOldClients) {
  EXPECT_EQ(rewritten_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n",
                               {.close = true, .framing = Framing{BodyKind::kUntilClose, 0}}),
            "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
}

TEST(ErrorPage, IsAReadableResponse) {
  const std::string page = render({.status = 403,
                                   .code = "network_denied",
                                   .rule = "no \"pastebin\"",
                                   .message = "Denied by policy.",
                                   .advice = "Ask for it."});
  ResponseHead head;
  const std::size_t end = page.find("\r\n\r\n") + 4;
  ASSERT_EQ(parse_response_head(std::string_view(page).substr(0, end), {}, head), Refusal::kNone);
  EXPECT_EQ(head.status(), 403);
  EXPECT_EQ(head.reason(), "Forbidden");
  EXPECT_FALSE(head.keep_alive());
  EXPECT_EQ(head.framing(), (Framing{BodyKind::kLength, page.size() - end}));
  const auto json = JsonDocument::parse(std::string_view(page).substr(end));
  ASSERT_TRUE(json);
  const JsonValue error = json->root().member("error");
  EXPECT_EQ(error.text("code"), "network_denied");
  EXPECT_EQ(error.text("rule"), "no \"pastebin\"");
  EXPECT_EQ(error.text("message"), "Denied by policy.");
  EXPECT_EQ(error.text("advice"), "Ask for it.");
  EXPECT_EQ(error.integer("status"), 403);
}

TEST(ErrorPage, HeadGetsTheSameHeadOnly) {
  const ErrorPage get{.status = 502, .code = "x", .message = "y", .close = false};
  ErrorPage head = get;
  head.head_request = true;
  const std::string with_body = render(get);
  const std::string without = render(head);
  EXPECT_TRUE(with_body.starts_with(without));
  EXPECT_TRUE(without.ends_with("\r\n\r\n"));
  EXPECT_EQ(without.find("Connection"), std::string::npos);
}

TEST(ErrorPage, EveryRefusalHasAReason) {
  for (std::size_t i = 1; i < kRefusalCount; ++i) {
    EXPECT_NE(reason_phrase(describe(static_cast<Refusal>(i)).status), "Error");
  }
}

}  // namespace
}  // namespace agentsh::http
