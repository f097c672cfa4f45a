#include "proxy/codec/tls/client_hello.h"

#include "base/file_io.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace agentsh::tls {
namespace {

using State = ClientHelloParser::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::uint8_t> to_vector(std::string_view text) {
  return {text.begin(), text.end()};
}

struct Extension {
  std::uint16_t type;
  std::vector<std::uint8_t> data;
};

std::vector<std::uint8_t> name_extension(std::string_view name, std::uint8_t type = 0) {
  ByteWriter out;
  out.u16(static_cast<std::uint16_t>(name.size() + 3));
  out.u8(type);
  out.u16(static_cast<std::uint16_t>(name.size()));
  out.text(name);
  return out.take();
}

// The parts of a hello, each of which a test can spoil.
struct Hello {
  std::uint16_t version = 0x0303;
  std::size_t session_size = 32;
  std::vector<std::uint8_t> ciphers = {0x13, 0x01};
  std::vector<std::uint8_t> compressions = {0};
  std::vector<Extension> extensions;
  std::vector<std::uint8_t> behind;

  std::vector<std::uint8_t> body() const {
    ByteWriter out;
    out.u16(version);
    out.bytes(std::vector<std::uint8_t>(32, 0xaa));
    out.u8(static_cast<std::uint8_t>(session_size));
    out.bytes(std::vector<std::uint8_t>(session_size, 0xbb));
    out.u16(static_cast<std::uint16_t>(ciphers.size()));
    out.bytes(ciphers);
    out.u8(static_cast<std::uint8_t>(compressions.size()));
    out.bytes(compressions);
    if (!extensions.empty()) {
      ByteWriter block;
      for (const Extension& extension : extensions) {
        block.u16(extension.type);
        block.u16(static_cast<std::uint16_t>(extension.data.size()));
        block.bytes(extension.data);
      }
      out.u16(static_cast<std::uint16_t>(block.size()));
      out.bytes(block.view());
    }
    out.bytes(behind);
    return out.take();
  }
};

std::vector<std::uint8_t> message(Bytes body, std::uint8_t type = 1) {
  ByteWriter out;
  out.u8(type);
  out.u24(static_cast<std::uint32_t>(body.size()));
  out.bytes(body);
  return out.take();
}

std::vector<std::uint8_t> records(Bytes data, std::size_t size) {
  ByteWriter out;
  while (!data.empty()) {
    const Bytes part = data.first(std::min(size, data.size()));
    out.u8(22);
    out.u16(0x0301);
    out.u16(static_cast<std::uint16_t>(part.size()));
    out.bytes(part);
    data = data.subspan(part.size());
  }
  return out.take();
}

std::vector<std::uint8_t> wire(const Hello& hello) {
  return records(message(hello.body()), 16384);
}

Hello named(std::string_view name) {
  return Hello{.extensions = {{0, name_extension(name)}}};
}

TEST(ClientHello, ReadsNameProtocolsAndVersions) {
  Hello hello = named("WWW.Example.COM");
  hello.extensions.push_back({16, {0, 12, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'}});
  hello.extensions.push_back({43, {6, 0x7a, 0x7a, 3, 4, 3, 3}});
  ClientHelloParser parser;
  parser.feed(wire(hello));
  ASSERT_EQ(parser.state(), State::kDone) << parser.refusal().what;
  EXPECT_EQ(parser.hello().server_name, "www.example.com");
  EXPECT_THAT(parser.hello().alpn, ElementsAre("h2", "http/1.1"));
  EXPECT_THAT(parser.hello().versions, ElementsAre(0x0304, 0x0303));
  EXPECT_TRUE(parser.hello().offers_protocol("http/1.1"));
  EXPECT_FALSE(parser.hello().offers_protocol("h3"));
  EXPECT_FALSE(parser.hello().encrypted_client_hello);
}

TEST(ClientHello, WithoutExtensionsHasNoName) {
  ClientHelloParser parser;
  parser.feed(wire(Hello{}));
  ASSERT_EQ(parser.state(), State::kDone);
  EXPECT_EQ(parser.hello().server_name, "");
  EXPECT_THAT(parser.hello().alpn, IsEmpty());
  EXPECT_THAT(parser.hello().versions, ElementsAre(0x0303));
}

TEST(ClientHello, LeavesWhatFollowsAlone) {
  std::vector<std::uint8_t> bytes = wire(named("a.example"));
  const std::size_t size = bytes.size();
  bytes.insert(bytes.end(), {1, 2, 3});
  ClientHelloParser parser;
  EXPECT_EQ(parser.feed(bytes), size);
  EXPECT_EQ(parser.state(), State::kDone);
  EXPECT_EQ(parser.feed(bytes), 0u);
}

TEST(ClientHello, IsTheSameHoweverItIsCut) {
  const std::vector<std::uint8_t> body = message(named("cut.example").body());
  for (const std::size_t record : {1u, 2u, 3u, 5u, 63u, 16384u}) {
    const std::vector<std::uint8_t> bytes = records(body, record);
    for (const std::size_t segment : {1u, 4u, 6u, 100000u}) {
      ClientHelloParser parser;
      std::size_t at = 0;
      while (at < bytes.size()) {
        EXPECT_EQ(parser.state(), State::kNeedMore);
        at += parser.feed(Bytes(bytes).subspan(at, std::min(segment, bytes.size() - at)));
      }
      ASSERT_EQ(parser.state(), State::kDone) << record << ' ' << segment;
      EXPECT_EQ(parser.hello().server_name, "cut.example");
    }
  }
}

TEST(ClientHello, NeedsMoreAtEveryPrefix) {
  const std::vector<std::uint8_t> bytes = wire(named("prefix.example"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ClientHelloParser parser;
    EXPECT_EQ(parser.feed(Bytes(bytes).first(size)), size);
    ASSERT_EQ(parser.state(), State::kNeedMore) << size;
  }
}

TEST(ClientHello, TakesPostQuantumSizesUpToTheLimitAndNoMore) {
  for (const auto& [padding, state] :
       {std::pair(1200, State::kDone), {17000, State::kDone}, {65000, State::kDone}}) {
    Hello hello = named("big.example");
    hello.extensions.push_back({51, std::vector<std::uint8_t>(padding, 7)});
    ClientHelloParser parser;
    parser.feed(wire(hello));
    EXPECT_EQ(parser.state(), state) << padding;
  }
  // Refused by its announced length, before the bytes are there.
  ClientHelloParser parser;
  parser.feed(std::vector<std::uint8_t>{22, 3, 1, 0x40, 0, 1, 0x01, 0x00, 0x01});
  ASSERT_EQ(parser.state(), State::kRefused);
  EXPECT_EQ(parser.refusal().code, HelloErrc::kTooLarge);
}

TEST(ClientHello, BoundsWhatFragmentationCosts) {
  Hello hello = named("slow.example");
  hello.extensions.push_back({51, std::vector<std::uint8_t>(60000, 7)});
  ClientHelloParser parser;
  const std::size_t used = parser.feed(records(message(hello.body()), 1));
  ASSERT_EQ(parser.state(), State::kRefused);
  EXPECT_EQ(parser.refusal().code, HelloErrc::kTooLarge);
  EXPECT_LE(used, kMaxWireBytes + 6);
}

struct BadName {
  const char* label;
  std::string name;
};

TEST(ClientHello, RefusesNamesThatNoResolverTakes) {
  const BadName cases[] = {
      {"empty", ""},
      {"nul", std::string("a\0.example", 10)},
      {"newline", "a.example\r\nHost: b"},
      {"space", "a example"},
      {"percent", "a%2e.example"},
      {"utf-8", "bücher.example"},
      {"wildcard", "*.example"},
      {"slash", "a.example/b"},
      {"empty label", "a..example"},
      {"dot", "."},
      {"long label", std::string(64, 'a') + ".example"},
      {"long name", std::string(63, 'a') + '.' + std::string(63, 'b') + '.' + std::string(63, 'c') +
                        '.' + std::string(63, 'd')},
      {"address", "192.168.1.1"},
      {"short address", "127.1"},
      {"one number", "2130706433"},
      {"hexadecimal", "0x7f000001"},
      {"hexadecimal part", "1.0x1"},
      {"ipv6", "2001:db8::1"},
      {"ipv6 in brackets", "[::1]"},
  };
  for (const BadName& bad : cases) {
    ClientHelloParser parser;
    parser.feed(wire(named(bad.name)));
    ASSERT_EQ(parser.state(), State::kRefused) << bad.label;
    EXPECT_EQ(parser.refusal().code, HelloErrc::kBadServerName) << bad.label;
    // Whatever it is, it can be shown in a log.
    for (const char c : parser.refusal().what) {
      ASSERT_TRUE(c >= ' ' && c < 127) << bad.label;
    }
  }
}

TEST(ClientHello, AcceptsOddButPossibleNames) {
  for (const char* name : {"localhost", "a_b.example", "xn--bcher-kva.example", "1.2.3.4.example",
                           "0x1.example", "a.example."}) {
    ClientHelloParser parser;
    parser.feed(wire(named(name)));
    EXPECT_EQ(parser.state(), State::kDone) << name;
  }
}

struct Spoilt {
  const char* label;
  std::vector<std::uint8_t> bytes;
  HelloErrc code;
  const char* says;
};

Hello with(std::uint16_t type, std::vector<std::uint8_t> data) {
  return Hello{.extensions = {{type, std::move(data)}}};
}

TEST(ClientHello, RefusesWhatIsBrokenOrAmbiguous) {
  const Hello twice{
      .extensions = {{0, name_extension("a.example")}, {0, name_extension("b.example")}}};
  const Hello unknown_twice{.extensions = {{77, {}}, {77, {}}}};
  const Hello early_psk{.extensions = {{41, {1}}, {0, name_extension("a.example")}}};
  Hello trailing = named("a.example");
  trailing.behind = {0};
  std::vector<std::uint8_t> two_names = name_extension("a.example");
  two_names.insert(two_names.end(), {0, 0, 1, 'b'});
  two_names[1] = static_cast<std::uint8_t>(two_names.size() - 2);
  const Spoilt cases[] = {
      {"http", to_vector("GET / HTTP/1.1\r\n"), HelloErrc::kNotTls, "0x47"},
      {"ssh", to_vector("SSH-2.0-x\r\n"), HelloErrc::kNotTls, "0x53"},
      {"sslv2", {0x80, 0x2e, 1, 3, 1}, HelloErrc::kNotTls, "0x80"},
      {"record version", {22, 2, 0}, HelloErrc::kNotTls, "record version 2"},
      {"alert", {21, 3, 1, 0, 2, 2, 40}, HelloErrc::kNotTls, "0x15"},
      {"empty record", {22, 3, 1, 0, 0}, HelloErrc::kMalformed, "empty"},
      {"record too long", {22, 3, 1, 0x40, 1}, HelloErrc::kMalformed, "16385"},
      {"server hello", records(message({}, 2), 99), HelloErrc::kNotTls, "message 2"},
      {"change of record type", {22, 3, 1, 0, 1, 1, 23, 3, 3, 0, 1, 0}, HelloErrc::kNotTls, "0x17"},
      {"empty message", records(message({}), 99), HelloErrc::kMalformed, "ends before"},
      {"version", wire({.version = 0x0203}), HelloErrc::kMalformed, "0x0203"},
      {"session id", wire({.session_size = 33}), HelloErrc::kMalformed, "session id"},
      {"no ciphers", wire({.ciphers = {}}), HelloErrc::kMalformed, "cipher"},
      {"odd ciphers", wire({.ciphers = {1, 2, 3}}), HelloErrc::kMalformed, "cipher"},
      {"no compression", wire({.compressions = {}}), HelloErrc::kMalformed, "compression"},
      {"only compression", wire({.compressions = {1}}), HelloErrc::kMalformed, "compression"},
      {"trailing bytes", wire(trailing), HelloErrc::kMalformed, "behind"},
      {"one stray byte", wire({.behind = {0}}), HelloErrc::kMalformed, "behind"},
      {"cut extension", wire({.behind = {0, 3, 0, 0, 9}}), HelloErrc::kMalformed, "cut short"},
      {"two names, two extensions", wire(twice), HelloErrc::kMalformed, "extension 0 twice"},
      {"unknown twice", wire(unknown_twice), HelloErrc::kMalformed, "extension 77 twice"},
      {"two names, one list", wire(with(0, two_names)), HelloErrc::kMalformed, "more than one"},
      {"name type", wire(with(0, name_extension("a", 1))), HelloErrc::kMalformed, "type 1"},
      {"name list cut", wire(with(0, {0, 9, 0})), HelloErrc::kMalformed, "cut short"},
      {"name list empty", wire(with(0, {0, 0})), HelloErrc::kMalformed, "cut short"},
      {"name missing", wire(with(0, {})), HelloErrc::kMalformed, "cut short"},
      {"alpn empty", wire(with(16, {0, 0})), HelloErrc::kMalformed, "empty"},
      {"alpn empty name", wire(with(16, {0, 1, 0})), HelloErrc::kMalformed, "empty"},
      {"alpn cut", wire(with(16, {0, 2, 5, 'h'})), HelloErrc::kMalformed, "cut short"},
      {"alpn length", wire(with(16, {0, 9, 1, 'h'})), HelloErrc::kMalformed, "length"},
      {"versions odd", wire(with(43, {3, 3, 4, 3})), HelloErrc::kMalformed, "supported_versions"},
      {"versions none", wire(with(43, {0})), HelloErrc::kMalformed, "supported_versions"},
      {"psk not last", wire(early_psk), HelloErrc::kMalformed, "last"},
  };
  for (const Spoilt& spoilt : cases) {
    ClientHelloParser parser;
    for (const std::uint8_t byte : spoilt.bytes) parser.feed({&byte, 1});
    ASSERT_EQ(parser.state(), State::kRefused) << spoilt.label;
    EXPECT_EQ(parser.refusal().code, spoilt.code) << spoilt.label << parser.refusal().what;
    EXPECT_THAT(parser.refusal().what, HasSubstr(spoilt.says)) << spoilt.label;
  }
}

struct Captured {
  const char* file;
  const char* name;
  std::size_t protocols;
  bool tls13;
};

TEST(ClientHello, ReadsWhatRealClientsSend) {
  const Captured cases[] = {
      {"openssl_tls13", "www.example.com", 2, true},
      {"openssl_tls12", "www.example.com", 0, false},
      {"openssl_tls10", "old.example", 0, false},
      {"openssl_no_sni", "", 0, true},
      {"openssl_fragmented", "fragmented.example", 60, true},
      {"openssl_one_byte_records", "www.example.com", 2, true},
      {"openssl_resumption", "resumed.example", 0, true},
      {"curl_http2", "host.example", 2, true},
      {"python_urllib", "py.example", 0, true},
      {"node", "node.example", 2, true},
      {"go", "go.example", 1, true},  // With a post-quantum key share.
      {"go_records_of_100", "go.example", 1, true},
      {"java", "", 0, true},  // Java names no host without a dot.
      {"wget", "localhost", 0, true},
      {"padded_40k", "www.example.com", 2, true},
  };
  for (const Captured& captured : cases) {
    auto bytes = read_file(std::string(HELLO_CORPUS) + captured.file);
    ASSERT_TRUE(bytes) << bytes.error().what;
    ClientHelloParser parser;
    EXPECT_EQ(parser.feed(as_bytes(*bytes)), bytes->size()) << captured.file;
    ASSERT_EQ(parser.state(), State::kDone) << captured.file << parser.refusal().what;
    EXPECT_EQ(parser.hello().server_name, captured.name) << captured.file;
    EXPECT_EQ(parser.hello().alpn.size(), captured.protocols) << captured.file;
    EXPECT_EQ(std::ranges::count(parser.hello().versions, 0x0304) == 1, captured.tls13)
        << captured.file;
  }
}

TEST(ClientHello, SeesEncryptedHellos) {
  auto bytes = read_file(std::string(HELLO_CORPUS) + "encrypted_client_hello");
  ASSERT_TRUE(bytes);
  ClientHelloParser parser;
  parser.feed(as_bytes(*bytes));
  ASSERT_EQ(parser.state(), State::kDone);
  EXPECT_TRUE(parser.hello().encrypted_client_hello);
}

}  // namespace
}  // namespace agentsh::tls
