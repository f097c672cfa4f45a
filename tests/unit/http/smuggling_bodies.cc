// Content: chunked framing, trailers, pipelines.
#include "tests/unit/http/smuggling_cases.h"

#include <fmt/format.h>

#include <string_view>

namespace agentsh::http {
namespace {

using namespace std::string_literals;

constexpr std::string_view kChunked =
    "POST /first HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";

class Cases {
 public:
  explicit Cases(std::string_view group) : group_(group) {}

  void body(std::string_view name, std::string_view body, Refusal refusal,
            std::size_t requests = 0) {
    whole(name, std::string(kChunked).append(body), refusal, requests);
  }
  void whole(std::string_view name, std::string payload, Refusal refusal,
             std::size_t requests = 0) {
    cases_.push_back({fmt::format("{}: {}", group_, name), std::move(payload), refusal, requests});
  }
  std::vector<SmugglingCase> take() { return std::move(cases_); }

 private:
  std::string group_;
  std::vector<SmugglingCase> cases_;
};

}  // namespace

std::vector<SmugglingCase> chunk_cases() {
  using enum Refusal;
  Cases cases("chunk");
  cases.body("empty", "0\r\n\r\n", kNone, 1);
  cases.body("one", "5\r\nhello\r\n0\r\n\r\n", kNone, 1);
  cases.body("two", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", kNone, 1);
  cases.body("hexadecimal", "A\r\n0123456789\r\n0\r\n\r\n", kNone, 1);
  cases.body("lower case", "a\r\n0123456789\r\n0\r\n\r\n", kNone, 1);
  cases.body("leading zeros", "0005\r\nhello\r\n000\r\n\r\n", kNone, 1);
  cases.body("sixteen digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", kNone, 1);
  cases.body("extension", "5;a=b\r\nhello\r\n0;last\r\n\r\n", kNone, 1);
  cases.body("quoted extension", "5;a=\"b;c\\\" 0\"\r\nhello\r\n0\r\n\r\n", kNone, 1);
  cases.body("content that looks like a chunk", "7\r\n0\r\n\r\n00\r\n0\r\n\r\n", kNone, 1);
  cases.body("seventeen digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", kChunkSizeOverflow);
  cases.body("size of 2^63", "8000000000000000\r\nhello\r\n0\r\n\r\n", kChunkSizeOverflow);
  cases.body("size of 2^64 - 1", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", kChunkSizeOverflow);
  cases.body("size of 2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n", kChunkSizeOverflow);
  cases.body("0x prefix", "0x5\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("plus sign", "+5\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("minus sign", "-5\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("minus zero", "-0\r\n\r\n", kBadChunkSize);
  cases.body("no size", "\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("extension without size", ";a\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("leading space", " 5\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("trailing space", "5 \r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("trailing tab", "5\t\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("space before the extension", "5 ;a\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("underscore", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("comma", "5,5\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("dot", "5.\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("letter after the size", "5g\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("NUL after the size", "5\x00\r\nhello\r\n0\r\n\r\n"s, kBadChunkSize);
  cases.body("vertical tab", "5\x0b\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("bare LF after the size", "5\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("bare CR after the size", "5\rhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("two CR after the size", "5\r\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("LF CR", "5\n\rhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("bare LF after the content", "5\r\nhello\n0\r\n\r\n", kChunkNotTerminated);
  cases.body("bare CR after the content", "5\r\nhello\r0\r\n\r\n", kChunkNotTerminated);
  cases.body("nothing after the content", "5\r\nhello0\r\n\r\n", kChunkNotTerminated);
  cases.body("content longer than its size", "4\r\nhello\r\n0\r\n\r\n", kChunkNotTerminated);
  cases.body("content shorter than its size", "6\r\nhello\r\n0\r\n\r\n", kChunkNotTerminated);
  cases.body("any two bytes after the content", "5\r\nhelloXX0\r\n\r\n", kChunkNotTerminated);
  cases.body("bare LF after the last chunk", "0\n\n", kBadChunkSize);
  cases.body("bare LF ends the message", "0\r\n\n", kBareLineFeed);
  cases.body("bare CR ends the message", "0\r\n\rX", kBareCarriageReturn);
  cases.body("extension with LF", "5;a\nb\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("extension with CR", "5;a\rb\r\nhello\r\n0\r\n\r\n", kBadChunkSize);
  cases.body("empty extension", "5;\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("two semicolons", "5;;a\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("space in the extension", "5; a\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("space at the end", "5;a \r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("value without name", "5;=b\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("name without value", "5;a=\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("high byte in a name", "5;\xff\r\nhello\r\n0\r\n\r\n", kBadChunkExtension);
  cases.body("extension on the last chunk", "0;a b\r\n\r\n", kBadChunkExtension);
  cases.body("long extension", "5;" + std::string(300, 'a') + "\r\nhello\r\n0\r\n\r\n",
             kChunkExtensionsTooLong);
  std::string amplified;
  for (int i = 0; i < 50; ++i) amplified += "1;" + std::string(200, 'a') + "\r\nx\r\n";
  cases.body("many extensions", amplified + "0\r\n\r\n", kChunkExtensionsTooLong);
  return cases.take();
}

std::vector<SmugglingCase> trailer_cases() {
  using enum Refusal;
  Cases cases("trailer");
  cases.body("harmless", "0\r\nX-Checksum: y\r\n\r\n", kNone, 1);
  cases.body("two", "0\r\nX: y\r\nServer-Timing: z\r\n\r\n", kNone, 1);
  cases.body("after content", "5\r\nhello\r\n0\r\nX: y\r\n\r\n", kNone, 1);
  cases.body("content length", "0\r\nContent-Length: 5\r\n\r\n", kForbiddenTrailer);
  cases.body("encoding", "0\r\nTransfer-Encoding: chunked\r\n\r\n", kForbiddenTrailer);
  cases.body("host", "0\r\nHost: b.example\r\n\r\n", kForbiddenTrailer);
  cases.body("authorization", "0\r\nauthorization: y\r\n\r\n", kForbiddenTrailer);
  cases.body("cookie", "0\r\nCookie: y\r\n\r\n", kForbiddenTrailer);
  cases.body("connection", "0\r\nX: y\r\nConnection: close\r\n\r\n", kForbiddenTrailer);
  cases.body("content type", "0\r\nContent-Type: y\r\n\r\n", kForbiddenTrailer);
  cases.body("proxy field", "0\r\nProxy-Authorization: y\r\n\r\n", kForbiddenTrailer);
  cases.body("look-alike", "0\r\nContent_Length: 5\r\n\r\n", kForbiddenTrailer);
  cases.body("a request", "0\r\nGET /second HTTP/1.1\r\n\r\n", kBadTrailer);
  cases.body("space before the colon", "0\r\nX : y\r\n\r\n", kBadTrailer);
  cases.body("no name", "0\r\n: y\r\n\r\n", kBadTrailer);
  cases.body("leading space", "0\r\n X: y\r\n\r\n", kBadTrailer);
  cases.body("folding", "0\r\nX: y\r\n z\r\n\r\n", kObsoleteFolding);
  cases.body("NUL", "0\r\nX: \x00\r\n\r\n"s, kControlByte);
  cases.body("bare LF", "0\r\nX: y\n\r\n", kBareLineFeed);
  cases.body("bare CR", "0\r\nX: y\rZ: a\r\n\r\n", kBareCarriageReturn);
  cases.body("9 KB", "0\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", kTrailersTooLarge);
  return cases.take();
}

std::vector<SmugglingCase> pipeline_cases() {
  using enum Refusal;
  const std::string get = "GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n";
  const std::string post = "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked = std::string(kChunked) + "5\r\nhello\r\n0\r\n\r\n";
  Cases cases("pipeline");
  cases.whole("two", get + get, kNone, 2);
  cases.whole("three kinds", post + chunked + get, kNone, 3);
  cases.whole("request as content",
              "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: " +
                  std::to_string(get.size()) + "\r\n\r\n" + get,
              kNone, 1);
  cases.whole("GET with content",
              "GET /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello" + get, kNone,
              2);
  cases.whole("HEAD and DELETE with content",
              "HEAD /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
              "DELETE /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi",
              kNone, 2);
  cases.whole("content that is not announced", get + "hello" + get, kBadMethod, 1);
  cases.whole("content beyond its length",
              "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nhello" + get,
              kBadMethod, 1);
  cases.whole("an empty line between", post + "\r\n" + get, kEmptyFirstLine, 1);
  cases.whole("NUL between", get + "\x00"s + get, kControlByte, 1);
  cases.whole("bytes after the last chunk", std::string(kChunked) + "0\r\n\r\nG" + get, kNone, 2);
  cases.whole("second is ambiguous",
              get +
                  "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
              kLengthAndEncoding, 1);
  cases.whole("content cut short",
              "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50\r\n\r\nhello", kNone, 0);
  cases.whole("head cut short", "GET /next HTTP/1.1\r\nHost: a.ex", kNone, 0);
  return cases.take();
}

std::vector<SmugglingCase> all_smuggling_cases() {
  std::vector<SmugglingCase> all;
  for (auto group : {encoding_cases, length_cases, host_cases, request_line_cases, field_cases,
                     connection_cases, chunk_cases, trailer_cases, pipeline_cases}) {
    for (SmugglingCase& one : group()) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace agentsh::http
