// Heads: framing fields, Host, the request line, field syntax, Connection.
#include "tests/unit/http/smuggling_cases.h"

#include <fmt/format.h>

#include <string_view>

namespace agentsh::http {
namespace {

using namespace std::string_literals;

struct Variant {
  std::string lines;
  Refusal refusal;
  std::size_t requests = 0;
};

std::string visible(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c > ' ' && c < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out.substr(0, 80);
}

// A POST with the given lines, whose body can be read as chunked or as five bytes, and a second
// request behind it that only one of the readings sees.
std::string post(std::string_view lines) {
  return fmt::format("POST /first HTTP/1.1\r\nHost: a.example\r\n{}\r\n0\r\n\r\n", lines);
}

std::string get(std::string_view lines) {
  return fmt::format("GET /first HTTP/1.1\r\n{}\r\n", lines);
}

template <class Build>
std::vector<SmugglingCase> build(std::string_view group, const std::vector<Variant>& variants,
                                 Build wrap) {
  std::vector<SmugglingCase> cases;
  for (const Variant& variant : variants) {
    cases.push_back({.name = fmt::format("{}: {}", group, visible(variant.lines)),
                     .payload = wrap(variant.lines),
                     .refusal = variant.refusal,
                     .requests = variant.requests});
  }
  return cases;
}

}  // namespace

std::vector<SmugglingCase> encoding_cases() {
  using enum Refusal;
  return build(
      "encoding",
      {
          {"Transfer-Encoding: chunked\r\n", kNone, 1},
          {"transfer-encoding: Chunked\r\n", kNone, 1},
          {"TRANSFER-ENCODING:CHUNKED\r\n", kNone, 1},
          {"Transfer-Encoding:\tchunked\r\n", kNone, 1},
          {"Transfer-Encoding: chunked\t \r\n", kNone, 1},
          {"Transfer-Encoding:  \t chunked\r\n", kNone, 1},
          {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", kLengthAndEncoding},
          {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", kLengthAndEncoding},
          {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", kLengthAndEncoding},
          {"Content-Length: 5\r\nTransfer-Encoding: identity\r\n", kLengthAndEncoding},
          {"Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", kLengthAndEncoding},
          {"Content-Length: 5\r\nTransfer-Encoding:\r\n", kLengthAndEncoding},
          {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kRepeatedEncoding},
          {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", kRepeatedEncoding},
          {"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", kRepeatedEncoding},
          {"Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", kRepeatedEncoding},
          {"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", kRepeatedEncoding},
          {"Transfer-Encoding: chunked, chunked\r\n", kBadEncoding},
          {"Transfer-Encoding: chunked, identity\r\n", kBadEncoding},
          {"Transfer-Encoding: identity, chunked\r\n", kBadEncoding},
          {"Transfer-Encoding: gzip, chunked\r\n", kBadEncoding},
          {"Transfer-Encoding: gzip\r\n", kBadEncoding},
          {"Transfer-Encoding: identity\r\n", kBadEncoding},
          {"Transfer-Encoding: \r\n", kBadEncoding},
          {"Transfer-Encoding: ,chunked\r\n", kBadEncoding},
          {"Transfer-Encoding: chunked,\r\n", kBadEncoding},
          {"Transfer-Encoding: xchunked\r\n", kBadEncoding},
          {"Transfer-Encoding: chunkedx\r\n", kBadEncoding},
          {"Transfer-Encoding: chunk\r\n", kBadEncoding},
          {"Transfer-Encoding: cow\r\n", kBadEncoding},
          {"Transfer-Encoding: \"chunked\"\r\n", kBadEncoding},
          {"Transfer-Encoding: 'chunked'\r\n", kBadEncoding},
          {"Transfer-Encoding: chunked;q=1\r\n", kBadEncoding},
          {"Transfer-Encoding: chunked foo\r\n", kBadEncoding},
          {"Transfer-Encoding: chu nked\r\n", kBadEncoding},
          {"Transfer-Encoding: \xa0"
           "chunked\r\n",
           kBadEncoding},
          {"Transfer-Encoding: chunked\x85\r\n", kBadEncoding},
          {"Transfer-Encoding: chun\xe2\x84\xaa"
           "ed\r\n",
           kBadEncoding},
          {"Transfer-Encoding: \x0b"
           "chunked\r\n",
           kControlByte},
          {"Transfer-Encoding: chunked\x0c\r\n", kControlByte},
          {"Transfer-Encoding: chunked\x00\r\n"s, kControlByte},
          {"Transfer-Encoding: \x00"
           "chunked\r\n"s,
           kControlByte},
          {"Transfer-Encoding: chunked\x7f\r\n", kControlByte},
          {"Transfer-Encoding : chunked\r\n", kSpaceBeforeColon},
          {"Transfer-Encoding\t: chunked\r\n", kSpaceBeforeColon},
          {"Transfer-Encoding\x0b: chunked\r\n", kControlByte},
          {"Transfer-Encoding\x00: chunked\r\n"s, kControlByte},
          {" Transfer-Encoding: chunked\r\n", kObsoleteFolding},
          {"\tTransfer-Encoding: chunked\r\n", kObsoleteFolding},
          {"Transfer-Encoding:\r\n chunked\r\n", kObsoleteFolding},
          {"Transfer-Encoding: chunked\r\n , identity\r\n", kObsoleteFolding},
          {"X: y\r\n\tTransfer-Encoding: chunked\r\n", kObsoleteFolding},
          {"X: y\nTransfer-Encoding: chunked\r\n", kBareLineFeed},
          {"X: y\rTransfer-Encoding: chunked\r\n", kBareCarriageReturn},
          {"Transfer-Encoding: chunked\n", kBareLineFeed},
          {"Transfer-Encoding: chunked\r", kBareCarriageReturn},
          {"Transfer-Encoding: chunked\r\r\n", kBareCarriageReturn},
          {"Transfer-Encoding\r\n: chunked\r\n", kBadField},
          {"Transfer-Encoding\r\n : chunked\r\n", kObsoleteFolding},
          {"Transfer_Encoding: chunked\r\n", kLookAlikeField},
          {"transfer_encoding: chunked\r\nContent-Length: 5\r\n", kLookAlikeField},
          {"Transfer Encoding: chunked\r\n", kBadField},
          {"\"Transfer-Encoding\": chunked\r\n", kBadField},
          {"Transfer-Encoding= chunked\r\n", kBadField},
          {"Transfer-Enc\xf6"
           "ding: chunked\r\n",
           kBadField},
          {":Transfer-Encoding: chunked\r\n", kBadField},
          {"(Transfer-Encoding): chunked\r\n", kBadField},
      },
      [](const std::string& lines) { return post(lines); });
}

std::vector<SmugglingCase> length_cases() {
  using enum Refusal;
  return build("length",
               {
                   {"Content-Length: 5\r\n", kNone, 1},
                   {"content-length:5\r\n", kNone, 1},
                   {"Content-Length: \t5 \t\r\n", kNone, 1},
                   {"Content-Length: 0000000005\r\n", kNone, 1},
                   {"Content-Length: 5\r\nContent-Length: 5\r\n", kRepeatedLength},
                   {"Content-Length: 5\r\nContent-Length: 6\r\n", kRepeatedLength},
                   {"Content-Length: 0\r\nContent-Length: 5\r\n", kRepeatedLength},
                   {"Content-Length: 5\r\ncontent-length: 0\r\n", kRepeatedLength},
                   {"Content-Length: 5, 5\r\n", kRepeatedLength},
                   {"Content-Length: 5,5\r\n", kRepeatedLength},
                   {"Content-Length: 5, 6\r\n", kRepeatedLength},
                   {"Content-Length: 5,\r\n", kRepeatedLength},
                   {"Content-Length: ,5\r\n", kRepeatedLength},
                   {"Content-Length:\r\n", kBadLength},
                   {"Content-Length: \t \r\n", kBadLength},
                   {"Content-Length: +5\r\n", kBadLength},
                   {"Content-Length: -5\r\n", kBadLength},
                   {"Content-Length: -0\r\n", kBadLength},
                   {"Content-Length: 5.0\r\n", kBadLength},
                   {"Content-Length: 5e0\r\n", kBadLength},
                   {"Content-Length: 0x5\r\n", kBadLength},
                   {"Content-Length: 5 5\r\n", kBadLength},
                   {"Content-Length: 5;\r\n", kBadLength},
                   {"Content-Length: \"5\"\r\n", kBadLength},
                   {"Content-Length: five\r\n", kBadLength},
                   {"Content-Length: 5 chunked\r\n", kBadLength},
                   {"Content-Length: 1_0\r\n", kBadLength},
                   {"Content-Length: \xd9\xa5\r\n", kBadLength},
                   {"Content-Length: \xa0"
                    "5\r\n",
                    kBadLength},
                   {"Content-Length: 9223372036854775808\r\n", kBadLength},
                   {"Content-Length: 18446744073709551615\r\n", kBadLength},
                   {"Content-Length: 18446744073709551621\r\n", kBadLength},
                   {"Content-Length: 36893488147419103237\r\n", kBadLength},
                   {"Content-Length: 5\x00\r\n"s, kControlByte},
                   {"Content-Length: \x0b"
                    "5\r\n",
                    kControlByte},
                   {"Content-Length : 5\r\n", kSpaceBeforeColon},
                   {"Content-Length\t: 5\r\n", kSpaceBeforeColon},
                   {"Content-Length: 5\r\n 0\r\n", kObsoleteFolding},
                   {"Content-Length:\r\n 5\r\n", kObsoleteFolding},
                   {"Content-Length: 5\nX: y\r\n", kBareLineFeed},
                   {"Content-Length: 5\rX: y\r\n", kBareCarriageReturn},
                   {"Content_Length: 5\r\n", kLookAlikeField},
                   {"CONTENT_LENGTH: 0\r\nContent-Length: 5\r\n", kLookAlikeField},
                   {"Content Length: 5\r\n", kBadField},
                   {"Content-Length 5\r\n", kBadField},
               },
               [](const std::string& lines) { return post(lines); });
}

std::vector<SmugglingCase> host_cases() {
  using enum Refusal;
  std::vector<SmugglingCase> cases =
      build("host",
            {
                {"Host: a.example\r\n", kNone, 1},
                {"host:A.Example:80\r\n", kNone, 1},
                {"Host: a.example.\r\n", kNone, 1},
                {"Host: [::1]:8080\r\n", kNone, 1},
                {"Host: 127.0.0.1\r\n", kNone, 1},
                {"", kMissingHost},
                {"X-Forwarded-Host: a.example\r\n", kMissingHost},
                {"Host: a.example\r\nHost: a.example\r\n", kRepeatedHost},
                {"Host: a.example\r\nhost: b.example\r\n", kRepeatedHost},
                {"Host:\r\n", kBadHost},
                {"Host: a.example b.example\r\n", kBadHost},
                {"Host: a.example,b.example\r\n", kBadHost},
                {"Host: a.example@b.example\r\n", kBadHost},
                {"Host: user:pass@a.example\r\n", kBadHost},
                {"Host: a.example/b.example\r\n", kBadHost},
                {"Host: http://a.example\r\n", kBadHost},
                {"Host: a.example?x\r\n", kBadHost},
                {"Host: a.example#x\r\n", kBadHost},
                {"Host: a.example\\b.example\r\n", kBadHost},
                {"Host: a..example\r\n", kBadHost},
                {"Host: .a.example\r\n", kBadHost},
                {"Host: a.example:\r\n", kBadHost},
                {"Host: a.example:80:80\r\n", kBadHost},
                {"Host: a.example:0\r\n", kBadHost},
                {"Host: a.example:+80\r\n", kBadHost},
                {"Host: a.example:65536\r\n", kBadHost},
                {"Host: a.example:000000080\r\n", kBadHost},
                {"Host: a.example:80a\r\n", kBadHost},
                {"Host: a.example:http\r\n", kBadHost},
                {"Host: a.example%00.b.example\r\n", kBadHost},
                {"Host: b\xc3\xbc"
                 "cher.example\r\n",
                 kBadHost},
                {"Host: ::1\r\n", kBadHost},
                {"Host: [::1\r\n", kBadHost},
                {"Host: [::1]x\r\n", kBadHost},
                {"Host: [fe80::1%25lo]\r\n", kBadHost},
                {"Host: [a.example]\r\n", kBadHost},
                {"Host: *\r\n", kBadHost},
                {"Host: a.example\x00.b.example\r\n"s, kControlByte},
                {"Host : a.example\r\n", kSpaceBeforeColon},
                {"Host: a.example\r\n .b.example\r\n", kObsoleteFolding},
            },
            [](const std::string& lines) { return get(lines); });
  const auto absolute = [&](std::string_view target, std::string_view host, Refusal refusal,
                            std::size_t requests = 0) {
    cases.push_back({fmt::format("host: {} with Host {}", visible(target), visible(host)),
                     fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", target, host), refusal,
                     requests});
  };
  absolute("http://a.example/x", "a.example", kNone, 1);
  absolute("HTTP://a.example:80/x", "A.EXAMPLE", kNone, 1);
  absolute("http://a.example", "a.example:80", kNone, 1);
  absolute("http://a.example/x", "b.example", kHostDiffersFromTarget);
  absolute("http://a.example:81/x", "a.example", kHostDiffersFromTarget);
  absolute("https://a.example/x", "a.example:80", kHostDiffersFromTarget);
  absolute("http://user@a.example/x", "a.example", kBadHost);
  absolute("http://a.example@b.example/x", "a.example", kBadHost);
  absolute("http://a.example\\@b.example/", "a.example", kBadHost);
  absolute("http:///x", "a.example", kBadHost);
  absolute("http://a.example#@b.example/", "a.example", kBadTarget);
  absolute("http://a.example?x", "a.example", kBadTarget);
  absolute("ftp://a.example/x", "a.example", kBadTarget);
  absolute("file:///etc/passwd", "a.example", kBadTarget);
  absolute("a.example:443", "a.example", kBadTarget);
  absolute("x", "a.example", kBadTarget);
  absolute("*", "a.example", kBadTarget);
  absolute("//b.example/x", "a.example", kNone, 1);
  return cases;
}

std::vector<SmugglingCase> request_line_cases() {
  using enum Refusal;
  std::vector<SmugglingCase> cases;
  const auto line = [&](std::string text, Refusal refusal, std::size_t requests = 0) {
    cases.push_back({fmt::format("request line: {}", visible(text)),
                     text + "Host: a.example\r\n\r\n", refusal, requests});
  };
  line("GET /x HTTP/1.1\r\n", kNone, 1);
  line("GET /x HTTP/1.0\r\n", kNone, 1);
  line("M-SEARCH /x HTTP/1.1\r\n", kNone, 1);
  line("OPTIONS * HTTP/1.1\r\n", kNone, 1);
  line("GET /\xc3\xbc?q=\xff HTTP/1.1\r\n", kNone, 1);
  line("GET /%00%0d%0aHost:%20b.example HTTP/1.1\r\n", kNone, 1);
  line("GET /a\\..\\b|{}\"<>^` HTTP/1.1\r\n", kNone, 1);
  line("\r\nGET /x HTTP/1.1\r\n", kEmptyFirstLine);
  line("\nGET /x HTTP/1.1\r\n", kBareLineFeed);
  line(" GET /x HTTP/1.1\r\n", kBadMethod);
  line("get /x HTTP/1.1\r\n", kBadMethod);
  line("GEt /x HTTP/1.1\r\n", kBadMethod);
  line("G(T /x HTTP/1.1\r\n", kBadMethod);
  line("GET\t/x HTTP/1.1\r\n", kBadMethod);
  line("GE\x00T /x HTTP/1.1\r\n"s, kControlByte);
  line("\x80GET /x HTTP/1.1\r\n", kBadMethod);
  line("GET: /x HTTP/1.1\r\n", kBadMethod);
  line("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ /x HTTP/1.1\r\n", kBadMethod);
  line("/x HTTP/1.1\r\n", kBadMethod);
  line("GET  /x HTTP/1.1\r\n", kBadTarget);
  line("GET /x  HTTP/1.1\r\n", kBadTarget);
  line("GET /x y HTTP/1.1\r\n", kBadTarget);
  line("GET /x HTTP/1.1 HTTP/1.1\r\n", kBadTarget);
  line("GET /x\tHTTP/1.1\r\n", kBadTarget);
  line("GET /x#y HTTP/1.1\r\n", kBadTarget);
  line("GET HTTP/1.1\r\n", kBadTarget);
  line("GET\r\n", kBadMethod);
  line("GET /x\r\n", kBadTarget);
  line("GET \r\n", kBadTarget);
  line("GET /x\x00y HTTP/1.1\r\n"s, kControlByte);
  line("GET /x\x7f HTTP/1.1\r\n", kControlByte);
  line("GET /x HTTP/1.1\n", kBareLineFeed);
  line("GET /x HTTP/1.1\r\r\n", kBareCarriageReturn);
  line("GET /x HTTP/1.1 \r\n", kBadTarget);
  line("GET /x HTTP/1.1\t\r\n", kBadVersion);
  line("GET /x HTTP/1.2\r\n", kBadVersion);
  line("GET /x HTTP/0.9\r\n", kBadVersion);
  line("GET /x HTTP/2.0\r\n", kBadVersion);
  line("GET /x HTTP/1.10\r\n", kBadVersion);
  line("GET /x HTTP/1\r\n", kBadVersion);
  line("GET /x HTTP/01.1\r\n", kBadVersion);
  line("GET /x HTTP /1.1\r\n", kBadTarget);
  line("GET /x http/1.1\r\n", kBadVersion);
  line("GET /x HTTPS/1.1\r\n", kBadVersion);
  line("GET /x HTTP/1,1\r\n", kBadVersion);
  line("GET /x ICY/1.1\r\n", kBadVersion);
  line("PRI * HTTP/2.0\r\n", kBadVersion);
  line("CONNECT a.example:443 HTTP/1.1\r\n", kNone, 1);
  line("CONNECT b.example:443 HTTP/1.1\r\n", kNone, 1);
  line("CONNECT a.example HTTP/1.1\r\n", kBadHost);
  line("CONNECT /x HTTP/1.1\r\n", kBadHost);
  line("CONNECT http://a.example:443/ HTTP/1.1\r\n", kBadHost);
  line("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 5\r\n", kContentInConnect);
  line("CONNECT a.example:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", kContentInConnect);
  line("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", kEncodingInHttp10);
  return cases;
}

std::vector<SmugglingCase> field_cases() {
  using enum Refusal;
  std::vector<SmugglingCase> cases =
      build("field",
            {
                {"X: \xff\xfe\r\n", kNone, 1},
                {"X:\r\n", kNone, 1},
                {"X: a\tb\r\n", kNone, 1},
                {"x!#$%&'*+-.^_`|~9: y\r\n", kNone, 1},
                {"X_Y: z\r\n", kNone, 1},
                {"X: a\x01"
                 "b\r\n",
                 kControlByte},
                {"X: a\x08\r\n", kControlByte},
                {"X: a\x1b[31m\r\n", kControlByte},
                {"X\x00Y: z\r\n"s, kControlByte},
                {"X: a\rb\r\n", kBareCarriageReturn},
                {"X: a\n\r\n", kBareLineFeed},
                {"X: a\r\n \r\n", kObsoleteFolding},
                {"X: a\r\n\t\r\n", kObsoleteFolding},
                {"X\r\n", kBadField},
                {":\r\n", kBadField},
                {": x\r\n", kBadField},
                {"X Y: z\r\n", kBadField},
                {"X\xa0: z\r\n", kBadField},
                {"X,Y: z\r\n", kBadField},
                {"X;Y: z\r\n", kBadField},
                {"X=Y\r\n", kBadField},
                {"<X>: z\r\n", kBadField},
                {"[X]: z\r\n", kBadField},
                {"X/Y: z\r\n", kBadField},
                {"@X: z\r\n", kBadField},
                {"{X}: z\r\n", kBadField},
                {"X\\Y: z\r\n", kBadField},
                {"GET /second HTTP/1.1\r\n", kBadField},
            },
            [](const std::string& lines) { return get("Host: a.example\r\n" + lines); });
  std::string many;
  for (int i = 0; i < 199; ++i) many += fmt::format("X{}: y\r\n", i);
  cases.push_back({"field: 200 of them", get("Host: a.example\r\n" + many), kNone, 1});
  cases.push_back(
      {"field: 201 of them", get("Host: a.example\r\nY: z\r\n" + many), kTooManyFields});
  const std::string large = "X: " + std::string(70000, 'x') + "\r\n";
  cases.push_back({"field: a head of 70 KB", get("Host: a.example\r\n" + large), kHeadTooLarge});
  cases.push_back(
      {"field: a line that never ends", "GET /" + std::string(70000, 'x'), kHeadTooLarge});
  return cases;
}

std::vector<SmugglingCase> connection_cases() {
  using enum Refusal;
  std::string many = "Connection: a";
  for (int i = 0; i < 70; ++i) many += ",a";
  return build("connection",
               {
                   {"Connection: close\r\n", kNone, 1},
                   {"Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n", kNone, 1},
                   {"Connection: X-Secret\r\nX-Secret: y\r\n", kNone, 1},
                   {"Connection: close, X-Forwarded-For\r\nX-Forwarded-For: y\r\n", kNone, 1},
                   {"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                    "HTTP2-Settings: AAMAAABkAARAAAAA\r\n",
                    kNone, 1},
                   {"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n", kNone, 1},
                   {"Connection: host\r\n", kConnectionNamesFraming},
                   {"Connection: close, Host\r\n", kConnectionNamesFraming},
                   {"Connection: Content-Length\r\nContent-Length: 0\r\n", kConnectionNamesFraming},
                   {"Content-Length: 0\r\nConnection: keep-alive, content-length\r\n",
                    kConnectionNamesFraming},
                   {"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
                    kConnectionNamesFraming},
                   {"Proxy-Connection: Host\r\n", kConnectionNamesFraming},
                   {"Connection: close keep-alive\r\n", kBadConnection},
                   {"Connection: \"close\"\r\n", kBadConnection},
                   {"Connection: close;x\r\n", kBadConnection},
                   {many + "\r\n", kBadConnection},
               },
               [](const std::string& lines) { return get("Host: a.example\r\n" + lines); });
}

}  // namespace agentsh::http
