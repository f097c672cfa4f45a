// Content in both directions: streaming, uploads, early answers, broken connections, upgrades.
#include "tests/unit/flows/fakes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace agentsh::flows {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class HttpBodyTest : public ::testing::Test {
 protected:
  HttpBodyTest() {
    flow.policy->allow("a.example");
    flow.leases->add("a.example", "192.0.2.1");
  }
  std::string answer() { return flow.read_all(flow.client()); }
  std::string failure() { return FakePolicy::field(request_event(), "failure"); }
  const audit::Event& request_event() { return *flow.policy->event("net_http_request"); }
  FlowHarness flow;
};

TEST_F(HttpBodyTest, EventsOfAStreamArriveAsTheyAreSent) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  flow.send(*server.stream, head);
  EXPECT_EQ(flow.client_reads(head.size()), head);
  for (int i = 0; i < 3; ++i) {
    const std::string event = fmt::format("d\r\ndata: {:05}\n\n\r\n", i);
    flow.send(*server.stream, event);
    EXPECT_EQ(flow.client_reads(event.size()), event);
  }
  flow.send(*server.stream, "0\r\n\r\n");
  EXPECT_EQ(flow.client_reads(5), "0\r\n\r\n");
  // And the connection lives on.
  flow.client_sends(kGet);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
}

TEST_F(HttpBodyTest, UploadStreamsWhileItIsSent) {
  flow.start();
  const std::string head = "POST /u HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n";
  flow.client_sends(head + "abc");
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read(*server.stream, head.size() + 3), head + "abc");
  flow.client_sends("defg");
  EXPECT_EQ(flow.read(*server.stream, 4), "defg");
  flow.client_sends("hij" + std::string(kGet));
  EXPECT_EQ(flow.read(*server.stream, 3), "hij");
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  EXPECT_EQ(FakePolicy::field(request_event(), "bytes_sent"), "10");
}

TEST_F(HttpBodyTest, ChunkedUploadIsForwardedByteForByte) {
  flow.start();
  const std::string head =
      "POST /u HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
  flow.client_sends(head);
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read(*server.stream, head.size()), head);
  const std::string body = "3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n";
  flow.client_sends(body);
  EXPECT_EQ(flow.read(*server.stream, body.size()), body);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
}

TEST_F(HttpBodyTest, LargeUploadAndDownloadFillTheSockets) {
  flow.start();
  const std::string body(3 << 20, 'x');
  const std::string request =
      fmt::format("POST /u HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n",
                  body.size()) +
      body;
  const std::string response =
      fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.size()) + body;
  std::string_view unsent = request;
  std::string received;
  FarEnd server;
  flow.until([&] {
    FlowHarness::send_some(flow.client(), unsent);
    if (server.stream == nullptr && flow.has_server()) server = flow.server();
    if (server.stream != nullptr) FlowHarness::read_some(*server.stream, received);
    return received.size() >= request.size();
  });
  EXPECT_TRUE(received == request);
  unsent = response;
  received.clear();
  flow.until([&] {
    FlowHarness::send_some(*server.stream, unsent);
    FlowHarness::read_some(flow.client(), received);
    return received.size() >= response.size();
  });
  EXPECT_TRUE(received == response);
}

TEST_F(HttpBodyTest, ContinueIsRelayed) {
  flow.start();
  const std::string head =
      "PUT /u HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  flow.client_sends(head);
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read(*server.stream, head.size()), head);
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  flow.send(*server.stream, go_on);
  EXPECT_EQ(flow.client_reads(go_on.size()), go_on);
  flow.client_sends("abc");
  EXPECT_EQ(flow.read(*server.stream, 3), "abc");
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
}

TEST_F(HttpBodyTest, ResponseBeforeTheEndOfTheRequest) {
  flow.start();
  flow.client_sends("POST /u HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nabc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  const std::string expected =
      "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
  EXPECT_EQ(flow.client_reads(expected.size()), expected);
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(FakePolicy::field(request_event(), "status"), "413");
}

TEST_F(HttpBodyTest, MalformedChunkBreaksTheRequestOff) {
  flow.start();
  flow.client_sends("POST /u HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.client_sends("3 \r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "400 bad_chunk_size");
  EXPECT_EQ(flow.read_all(*server.stream), "");
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(failure(), "bad_chunk_size");
}

TEST_F(HttpBodyTest, MalformedChunkWithTheHeadIsNotSentAtAll) {
  flow.start();
  flow.client_sends(
      "POST /u HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n");
  EXPECT_EQ(error_code_of(answer()), "400 bad_chunk_size");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(HttpBodyTest, ClientThatLeavesInItsUploadBreaksTheRequestOff) {
  flow.start();
  flow.client_sends("POST /u HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nabc");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(flow.read_all(*server.stream), "abc");
  EXPECT_EQ(failure(), "client_gone");
}

TEST_F(HttpBodyTest, ClientThatLeavesWhileWaitingCancelsTheRequest) {
  flow.options.client_watch = 60ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(flow.read_all(*server.stream), "");
  EXPECT_EQ(failure(), "client_gone");
  EXPECT_EQ(FakePolicy::field(request_event(), "status"), "0");
}

TEST_F(HttpBodyTest, ClientThatLeavesBetweenEventsCancelsTheStream) {
  flow.options.client_watch = 60ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
  flow.send(*server.stream, head);
  flow.client_reads(head.size());
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(flow.read_all(*server.stream), "");
}

TEST_F(HttpBodyTest, HalfClosedClientThatSaidCloseIsStillAnswered) {
  flow.options.client_watch = 50ms;
  flow.start();
  flow.client_sends("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
  ::shutdown(flow.client().native_handle(), SHUT_WR);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  // Longer than the watch.
  const auto start = std::chrono::steady_clock::now();
  flow.until([&] { return std::chrono::steady_clock::now() - start > 150ms; });
  flow.send(*server.stream, kOk);
  EXPECT_THAT(answer(), HasSubstr("hello"));
}

TEST_F(HttpBodyTest, ServerThatClosesWithoutAnAnswer) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  server.stream->close();
  EXPECT_EQ(error_code_of(answer()), "502 upstream_closed");
}

TEST_F(HttpBodyTest, ServerThatAnswersRubbish) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, "220 smtp.example ESMTP\r\n\r\n");
  EXPECT_EQ(error_code_of(answer()), "502 bad_status_line");
}

TEST_F(HttpBodyTest, AmbiguousResponseIsNotForwarded) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
  const std::string text = answer();
  EXPECT_EQ(error_code_of(text), "502 repeated_length");
  EXPECT_EQ(flow.read_all(*server.stream), "");
}

TEST_F(HttpBodyTest, EndlessHeadersAreCutOff) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, "HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 300; ++i) flow.send(*server.stream, "X: " + std::string(300, 'x') + "\r\n");
  EXPECT_THAT(error_code_of(answer()), StartsWith("502"));
}

TEST_F(HttpBodyTest, ServerThatStallsIsGivenUp) {
  flow.options.response_head = 100ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  EXPECT_EQ(error_code_of(answer()), "504 upstream_timeout");
}

TEST_F(HttpBodyTest, ResponseThatIsCutShortBreaksTheConnection) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  flow.settle();
  server.stream->close();
  flow.finish();
  EXPECT_EQ(failure(), "cut_short");
  EXPECT_THAT(answer(), HasSubstr("hel"));
}

TEST_F(HttpBodyTest, ResponseUntilTheEndOfTheConnection) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, "HTTP/1.0 200 OK\r\n\r\nhello");
  server.stream->close();
  EXPECT_EQ(answer(), "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello");
  flow.finish();
  EXPECT_EQ(failure(), "");
}

TEST_F(HttpBodyTest, MoreThanAnnouncedIsNotTheNextResponse) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, std::string(kOk) + "HTTP/1.1 200 Poison\r\n\r\n");
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  flow.client_sends(kGet);
  FarEnd fresh = flow.server();  // The first connection is not used again.
  EXPECT_EQ(flow.read_head(*fresh.stream), kGet);
}

TEST_F(HttpBodyTest, StaleConnectionIsReplacedForAGet) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  server.stream->close();
  flow.client_sends(kGet);
  FarEnd fresh = flow.server();
  EXPECT_EQ(flow.read_head(*fresh.stream), kGet);
  flow.send(*fresh.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
}

TEST_F(HttpBodyTest, StaleConnectionIsSeenBeforeAPost) {
  const std::string post = "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc";
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  server.stream->close();
  flow.client_sends(post);
  FarEnd fresh = flow.server();
  EXPECT_EQ(flow.read(*fresh.stream, post.size()), post);
}

TEST_F(HttpBodyTest, PostThatMayHaveArrivedIsNotRepeated) {
  const std::string post = "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc";
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  flow.client_reads(kOk.size());
  flow.client_sends(post);
  EXPECT_EQ(flow.read(*server.stream, post.size()), post);
  server.stream->close();
  EXPECT_EQ(error_code_of(answer()), "502 upstream_closed");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(HttpBodyTest, NewConnectionThatFailsIsNotTriedForEver) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  server.stream->close();
  EXPECT_EQ(error_code_of(answer()), "502 upstream_closed");
  EXPECT_FALSE(flow.has_server());
}

TEST_F(HttpBodyTest, ResponseThatStallsIsBrokenOff) {
  flow.options.body_stall = 100ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  const std::string part = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
  flow.send(*server.stream, part);
  EXPECT_EQ(answer(), part);  // Then the end, before all of it was there.
  flow.finish();
  EXPECT_EQ(failure(), "upstream_stalled");
  EXPECT_EQ(FakePolicy::field(request_event(), "status"), "200");
  EXPECT_EQ(flow.read_all(*server.stream), "");
}

// It is what pauses that counts, not how long all of it takes.
TEST_F(HttpBodyTest, SlowResponseThatMovesIsNotBrokenOff) {
  flow.options.body_stall = 300ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
  flow.send(*server.stream, head);
  EXPECT_EQ(flow.client_reads(head.size()), head);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) {
    flow.until([&] { return std::chrono::steady_clock::now() > begin + i * 100ms; });
    flow.send(*server.stream, "x");
    EXPECT_EQ(flow.client_reads(1), "x");
  }
  flow.client_sends(kGet);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
  EXPECT_EQ(failure(), "");
}

TEST_F(HttpBodyTest, StreamOfEventsMayBeSilent) {
  flow.options.body_stall = 100ms;
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "Content-Length: 7\r\n\r\n";
  flow.send(*server.stream, head + "data");
  EXPECT_EQ(flow.client_reads(head.size() + 4), head + "data");
  const auto begin = std::chrono::steady_clock::now();
  flow.until([&] { return std::chrono::steady_clock::now() > begin + 400ms; });
  flow.send(*server.stream, ": x");
  EXPECT_EQ(flow.client_reads(3), ": x");
}

// The time that a response may take to begin does not count for one that began before the request
// had ended.
TEST_F(HttpBodyTest, ResponseBeforeTheEndOfTheRequestMayLast) {
  flow.options.response_head = 100ms;
  flow.start();
  const std::string head = "POST /u HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\n";
  flow.client_sends(head + "abc");
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read(*server.stream, head.size() + 3), head + "abc");
  const std::string begun = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
  flow.send(*server.stream, begun + "he");
  EXPECT_EQ(flow.client_reads(begun.size() + 2), begun + "he");
  flow.client_sends("def");
  EXPECT_EQ(flow.read(*server.stream, 3), "def");
  const auto begin = std::chrono::steady_clock::now();
  flow.until([&] { return std::chrono::steady_clock::now() > begin + 400ms; });
  flow.send(*server.stream, "llo");
  EXPECT_EQ(flow.client_reads(3), "llo");
}

TEST_F(HttpBodyTest, WebSocketIsRelayedAfterTheSwitch) {
  flow.start();
  const std::string ask =
      "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  flow.client_sends(ask + "early");
  FarEnd server = flow.server();
  EXPECT_EQ(flow.read_head(*server.stream), ask);
  const std::string yes =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  flow.send(*server.stream, yes + "frame");
  EXPECT_EQ(flow.client_reads(yes.size() + 5), yes + "frame");
  EXPECT_EQ(flow.read(*server.stream, 5), "early");
  flow.client_sends("ping");
  EXPECT_EQ(flow.read(*server.stream, 4), "ping");
  flow.send(*server.stream, "pong");
  EXPECT_EQ(flow.client_reads(4), "pong");
  server.stream->close();
  EXPECT_EQ(answer(), "");
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(FakePolicy::field(request_event(), "status"), "101");
}

TEST_F(HttpBodyTest, WebSocketThatIsRefusedIsAnOrdinaryResponse) {
  flow.start();
  flow.client_sends(
      "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream, kOk);
  EXPECT_EQ(flow.client_reads(kOk.size()), kOk);
  flow.client_sends(kGet);
  EXPECT_EQ(flow.read_head(*server.stream), kGet);
}

TEST_F(HttpBodyTest, RedirectedNtlmChallengeStaysPrivate) {
  flow.start();
  flow.client_sends(kGet);
  FarEnd server = flow.server();
  flow.read_head(*server.stream);
  flow.send(*server.stream,
            "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
  flow.read_head(flow.client());
  flow.client_closes();
  flow.finish();
  EXPECT_EQ(flow.read_all(*server.stream), "");
}

}  // namespace
}  // namespace agentsh::flows
