#include "proxy/codec/http/head_parser.h"
#include "proxy/codec/http/limits.h"
#include "proxy/codec/http/message_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace agentsh::http {
namespace {

RequestHead parsed(std::string_view text) {
  RequestHead head;
  EXPECT_EQ(describe(parse_request_head(text, head)).code, "none") << text;
  return head;
}

TEST(RequestHead, PartsAreViewsOfTheText) {
  const std::string_view text =
      "POST /v1/chat?x=1 HTTP/1.1\r\nHost: Api.Example:8443\r\nContent-Length: 12\r\n"
      "X-Empty:\r\nx-trace:  a b \t\r\n\r\n";
  const RequestHead head = parsed(text);
  EXPECT_EQ(head.method(), "POST");
  EXPECT_EQ(head.path(), "/v1/chat?x=1");
  EXPECT_EQ(head.form(), TargetForm::kOrigin);
  EXPECT_EQ(head.authority().host, "Api.Example");
  EXPECT_EQ(head.authority().port, 8443);
  EXPECT_EQ(head.minor_version(), 1);
  EXPECT_EQ(head.framing(), (Framing{BodyKind::kLength, 12}));
  EXPECT_TRUE(head.keep_alive());
  ASSERT_EQ(head.fields().size(), 4u);
  EXPECT_EQ(head.value(head.fields()[2]), "");
  EXPECT_EQ(head.value_of("X-Trace"), "a b");
  EXPECT_EQ(head.line(head.fields()[3]), "x-trace:  a b \t\r\n");
  EXPECT_EQ(head.start_line(), "POST /v1/chat?x=1 HTTP/1.1\r\n");
  EXPECT_EQ(head.value_of("absent"), "");
  EXPECT_EQ(head.find(KnownField::kHost)->known, KnownField::kHost);
  EXPECT_GE(head.path().data(), text.data());
}

TEST(RequestHead, AbsoluteFormGivesPathAndAuthority) {
  const RequestHead head =
      parsed("GET https://a.example/x?y HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  EXPECT_EQ(head.form(), TargetForm::kAbsolute);
  EXPECT_TRUE(head.https_target());
  EXPECT_EQ(head.path(), "/x?y");
  EXPECT_EQ(head.authority().host, "a.example");
  EXPECT_EQ(parsed("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n").path(), "/");
  EXPECT_EQ(parsed("OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n").path(), "*");
}

TEST(RequestHead, ConnectNeedsNoHost) {
  const RequestHead head = parsed("CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(head.is_connect());
  EXPECT_EQ(head.authority().host, "2001:db8::1");
  EXPECT_TRUE(head.authority().ipv6_literal);
  EXPECT_EQ(head.authority().port, 443);
  EXPECT_EQ(head.path(), "");
}

TEST(RequestHead, ConnectionAndVersionDecideKeepAlive) {
  const auto keeps = [](std::string_view version, std::string_view lines) {
    return parsed("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n")
        .keep_alive();
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_TRUE(keeps("HTTP/1.1", "Connection: x\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: x, CLOSE\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Proxy-Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

TEST(RequestHead, WebSocketNeedsAllParts) {
  const auto asks = [](std::string_view start, std::string_view lines) {
    return parsed(std::string(start) + " HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n")
        .asks_for_websocket();
  };
  constexpr std::string_view kBoth = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
  EXPECT_TRUE(asks("GET /", kBoth));
  EXPECT_FALSE(asks("POST /", kBoth));
  EXPECT_FALSE(asks("GET /", "Upgrade: websocket\r\n"));
  EXPECT_FALSE(asks("GET /", "Connection: Upgrade\r\n"));
  EXPECT_FALSE(asks("GET /", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"));
  EXPECT_FALSE(asks("GET /", "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n"));
  EXPECT_FALSE(asks("GET /", std::string(kBoth) + "Content-Length: 5\r\n"));
}

TEST(RequestHead, ExpectContinue) {
  EXPECT_TRUE(
      parsed("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n").expects_continue());
  EXPECT_FALSE(
      parsed("PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n").expects_continue());
  EXPECT_FALSE(parsed("PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n").expects_continue());
}

TEST(RequestHead, IsReusedWithoutLeftOvers) {
  RequestHead head;
  ASSERT_EQ(parse_request_head("CONNECT a:1 HTTP/1.0\r\n\r\n", head), Refusal::kNone);
  ASSERT_EQ(
      parse_request_head("GET http://b/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", head),
      Refusal::kNone);
  ASSERT_EQ(parse_request_head("GET /y HTTP/1.1\r\nHost: c\r\n\r\n", head), Refusal::kNone);
  EXPECT_EQ(head.form(), TargetForm::kOrigin);
  EXPECT_EQ(head.authority().host, "c");
  EXPECT_EQ(head.authority().port, 0);
  EXPECT_TRUE(head.keep_alive());
  EXPECT_EQ(head.framing().kind, BodyKind::kNone);
}

TEST(HeadScanner, RefusesAsSoonAsItSees) {
  HeadScanner scanner;
  EXPECT_EQ(scanner.scan(as_bytes("GET / HTTP/1.1\r\nX: \x01")).refusal, Refusal::kControlByte);
  scanner.reset();
  EXPECT_EQ(scanner.scan(as_bytes("\x16\x03\x01")).refusal, Refusal::kControlByte);
  scanner.reset();
  EXPECT_EQ(scanner.scan(as_bytes("GET / HTTP/1.1\r")).refusal, Refusal::kNone);
}

TEST(HeadScanner, TheLimitIsExact) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string fits = start + std::string(kMaxHeadBytes - start.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_EQ(HeadScanner().scan(as_bytes(fits)).size, kMaxHeadBytes);
  RequestHead head;
  EXPECT_EQ(parse_request_head(fits, head), Refusal::kNone);
  const std::string over = start + std::string(kMaxHeadBytes - start.size() - 3, 'x') + "\r\n\r\n";
  EXPECT_EQ(HeadScanner().scan(as_bytes(over)).refusal, Refusal::kHeadTooLarge);
}

TEST(Refusals, HaveDistinctCodesAndSentences) {
  std::vector<std::string_view> codes;
  for (std::size_t i = 0; i < kRefusalCount; ++i) {
    const RefusalInfo& info = describe(static_cast<Refusal>(i));
    EXPECT_FALSE(info.sentence.empty());
    EXPECT_FALSE(info.sentence.ends_with('.'));
    EXPECT_EQ(std::ranges::count(codes, info.code), 0);
    codes.push_back(info.code);
  }
  EXPECT_EQ(codes.back(), "cut_short");
}

}  // namespace
}  // namespace agentsh::http
