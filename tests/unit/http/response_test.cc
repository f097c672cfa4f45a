#include "tests/unit/http/request_pipe.h"

#include <gtest/gtest.h>

namespace agentsh::http {
namespace {

struct ResponseCase {
  std::string_view name;
  std::string payload;
  Refusal refusal = Refusal::kNone;
  std::string_view content = {};
  ResponseContext context = {};
  std::string_view rest = {};
  bool close = false;  // The server closes after it.
};

ResponsePipe run(const ResponseCase& one, const std::vector<std::string_view>& pieces) {
  ResponsePipe pipe(one.context);
  for (std::string_view piece : pieces) pipe.feed(piece);
  if (one.close) pipe.close();
  return pipe;
}

constexpr ResponseContext kHead{.head = true};
constexpr ResponseContext kWebsocket{.websocket = true};

std::vector<ResponseCase> response_cases() {
  using enum Refusal;
  return {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", kNone, "hello"},
      {"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", kNone},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
       kNone, "hello"},
      {"until close", "HTTP/1.1 200 OK\r\n\r\nhello", kNone, "hello", {}, {}, true},
      {"HTTP/1.0 until close", "HTTP/1.0 200 OK\r\n\r\n", kNone, "", {}, {}, true},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", kNone, "", kHead},
      {"HEAD chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", kNone, "", kHead},
      {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", kNone},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", kNone},
      {"204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", kNone},
      {"more than announced",
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello",
       kNone,
       "he",
       {},
       "llo"},
      {"HEAD with content all the same", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", kNone,
       "", kHead, "hello"},
      {"a second response",
       "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
       kNone,
       "",
       {},
       "HTTP/1.1 200 OK\r\n\r\n"},
      {"interim first",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       kNone, "hi"},
      {"websocket",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
       "Upgrade: websocket\r\n\r\n\x81\x05hello",
       kNone, "", kWebsocket, "\x81\x05hello"},
      {"101 not asked for",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
       "Upgrade: websocket\r\n\r\n",
       kUnexpectedUpgrade},
      {"101 to something else",
       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
       "Upgrade: h2c\r\n\r\n",
       kUnexpectedUpgrade, "", kWebsocket},
      {"length and encoding",
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       kLengthAndEncoding},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
       kRepeatedLength},
      {"two equal lengths",
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", kRepeatedLength},
      {"length with sign", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", kBadLength},
      {"gzip coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", kBadEncoding},
      {"HTTP/1.0 chunked", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       kEncodingInHttp10},
      {"204 with content", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
       kContentForbidden},
      {"204 chunked", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       kContentForbidden},
      {"100 with content", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello",
       kContentForbidden},
      {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", kBadStatusLine},
      {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", kBadStatusLine},
      {"status 099", "HTTP/1.1 099 OK\r\n\r\n", kBadStatusLine},
      {"status 600", "HTTP/1.1 600 OK\r\n\r\n", kBadStatusLine},
      {"version 2", "HTTP/2 200\r\n\r\n", kBadStatusLine},
      {"version 1.2", "HTTP/1.2 200 OK\r\n\r\n", kBadStatusLine},
      {"not HTTP", "ICY 200 OK\r\n\r\n", kBadStatusLine},
      {"header injection by LF", "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n", kBareLineFeed},
      {"header injection by CR", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n",
       kBareCarriageReturn},
      {"folding", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", kObsoleteFolding},
      {"space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
       kSpaceBeforeColon},
      {"NUL", std::string("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 26), kControlByte},
      {"empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", kEmptyFirstLine},
      {"chunk size with space",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
       kBadChunkSize, ""},
      {"chunk too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n",
       kChunkNotTerminated, "hell"},
      {"cut in the head", "HTTP/1.1 200 OK\r\nX", kCutShort, "", {}, "HTTP/1.1 200 OK\r\nX", true},
      {"cut in the content",
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
       kCutShort,
       "hel",
       {},
       "",
       true},
      {"cut before the last chunk",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
       kCutShort,
       "hel",
       {},
       "",
       true},
      {"cut in the last chunk",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n",
       kCutShort,
       "hel",
       {},
       "0\r\n",
       true},
  };
}

TEST(Responses, AreReadInOneWayOrRefused) {
  for (const ResponseCase& one : response_cases()) {
    SCOPED_TRACE(one.name);
    for_each_cut(one.payload, [&](const std::vector<std::string_view>& pieces) {
      const ResponsePipe pipe = run(one, pieces);
      ASSERT_EQ(describe(pipe.refusal()).code, describe(one.refusal).code);
      const std::string content = pipe.messages().empty() ? "" : pipe.messages().back().content;
      ASSERT_EQ(content, one.content);
      if (one.refusal == Refusal::kNone) {
        ASSERT_TRUE(pipe.done());
        ASSERT_EQ(pipe.rest(), one.rest);
      }
    });
  }
}

TEST(Responses, ContentIsForwardedAsItCame) {
  const std::string body = "5;x=\"y\"\r\nhello\r\n0\r\nX: y\r\n\r\n";
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  ResponsePipe pipe({});
  pipe.feed(head + body);
  EXPECT_EQ(pipe.output(), head + body);
}

TEST(Responses, EndlessInterimResponsesAreRefused) {
  ResponsePipe pipe({});
  for (int i = 0; i < 40; ++i) pipe.feed("HTTP/1.1 102 Processing\r\n\r\n");
  EXPECT_EQ(pipe.refusal(), Refusal::kTooManyInterim);
}

TEST(Responses, KeepAlive) {
  const auto keeps = [](std::string_view text) {
    ResponseReader reader;
    reader.expect({});
    EXPECT_GT(reader.read_head(as_bytes(text)).size, 0u);
    return reader.head().keep_alive();
  };
  EXPECT_TRUE(keeps("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(keeps("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
}

}  // namespace
}  // namespace agentsh::http
