#include "sqlguard/codec/frame.h"
#include "sqlguard/codec/messages.h"
#include "sqlguard/codec/startup.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

using namespace std::string_view_literals;

std::string text_of(const ByteWriter& out) {
  return std::string(as_text(out.view()));
}

template <class Message>
std::string written(const Message& message) {
  ByteWriter out;
  write(message, out);
  return text_of(out);
}

std::string frame(char type, std::string_view body) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(type));
  out.u32(static_cast<std::uint32_t>(body.size() + 4));
  out.text(body);
  return text_of(out);
}

// --- startup -------------------------------------------------------------------------------------

Result<std::optional<ReadStartup>> startup(std::string_view bytes) {
  return read_startup(as_bytes(bytes));
}

TEST(Startup, RequestsForEncryption) {
  EXPECT_EQ(written(SslRequest{}), "\0\0\0\x08\x04\xd2\x16\x2f"sv);
  EXPECT_EQ(written(GssEncRequest{}), "\0\0\0\x08\x04\xd2\x16\x30"sv);
  const auto read = startup("\0\0\0\x08\x04\xd2\x16\x2fstuffed"sv);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->packet, StartupPacket(SslRequest{}));
  EXPECT_EQ((*read)->size, 8u);  // The caller sees that there is more.
  EXPECT_FALSE(startup("\0\0\0\x09\x04\xd2\x16\x2f!"sv));
}

TEST(Startup, ParametersRoundTrip) {
  for (const std::uint16_t minor : {std::uint16_t{0}, std::uint16_t{2}}) {
    const StartupMessage message{
        .major = 3,
        .minor = minor,
        .parameters = {
            {"user", "alice"}, {"database", "d"}, {"options", "-c role=admin"}, {"_pq_.x", ""}}};
    const auto read = startup(written(message));
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->packet, StartupPacket(message));
  }
}

TEST(Startup, TheLastOfAParameterCounts) {
  const StartupMessage message{.parameters = {{"user", "a"}, {"user", "b"}}};
  EXPECT_EQ(message.parameter("user"), "b");
  EXPECT_EQ(message.parameter("none"), "");
}

TEST(Startup, ReplicationIsRecognised) {
  for (const char* value : {"true", "database", "on", "yes", "1", "TRUE", "maybe"})
    EXPECT_TRUE((StartupMessage{.parameters = {{"replication", value}}}.is_replication())) << value;
  for (const char* value : {"false", "off", "no", "0", "False"})
    EXPECT_FALSE((StartupMessage{.parameters = {{"replication", value}}}.is_replication()))
        << value;
  const StartupMessage twice{.parameters = {{"replication", "database"}, {"replication", "off"}}};
  EXPECT_TRUE(twice.is_replication());
}

TEST(Startup, CancelKeysOfAnyLength) {
  for (const std::size_t length : {4u, 32u, 256u}) {
    const CancelRequest request{.process = 77, .key = std::vector<std::uint8_t>(length, 0xab)};
    const auto read = startup(written(request));
    ASSERT_TRUE(read && *read) << length;
    EXPECT_EQ((*read)->packet, StartupPacket(request));
  }
  for (const std::size_t length : {0u, 3u, 257u})
    EXPECT_FALSE(startup(written(CancelRequest{.key = std::vector<std::uint8_t>(length)})))
        << length;
}

TEST(Startup, DirectTls) {
  const auto read = startup("\x16\x03\x01");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->packet, StartupPacket(DirectTls{}));
  EXPECT_EQ((*read)->size, 0u);
}

TEST(Startup, EveryPrefixIsIncomplete) {
  const std::string whole = written(StartupMessage{.parameters = {{"user", "a"}}});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto read = startup(std::string_view(whole).substr(0, i));
    ASSERT_TRUE(read) << i;
    EXPECT_FALSE(*read) << i;
  }
}

TEST(Startup, MalformedPackets) {
  for (const std::string_view bytes :
       {"GET / HTTP/1.1\r\n"sv, "\0\0\0\x07\0\x03\0"sv, "\0\0\x27\x11\0\x03\0\0"sv,
        "\0\0\0\x08\0\x02\0\0"sv, "\0\0\0\x08\0\x04\0\0"sv, "\0\0\0\x08\0\x03\0\0"sv,
        "\0\0\0\x0a\0\x03\0\0ab"sv, "\0\0\0\x0b\0\x03\0\0a\0\0"sv.substr(0, 11),
        "\0\0\0\x0a\0\x03\0\0\0x"sv, "\0\xff\xff\xff"sv, "\x7f\xff\xff\xff"sv})
    EXPECT_FALSE(startup(bytes)) << testing::PrintToString(bytes);
}

// --- frames --------------------------------------------------------------------------------------

TEST(Frames, TypesOfEachDirection) {
  EXPECT_TRUE(read_frame_header(as_bytes(frame('Q', "x")), Direction::kFrontend));
  EXPECT_FALSE(read_frame_header(as_bytes(frame('Q', "x")), Direction::kBackend));
  EXPECT_FALSE(read_frame_header(as_bytes(frame('T', "x")), Direction::kFrontend));
  EXPECT_TRUE(read_frame_header(as_bytes(frame('T', "x")), Direction::kBackend));
  EXPECT_FALSE(read_frame_header(as_bytes(frame('\0', "x")), Direction::kFrontend));
}

TEST(Frames, LengthsAreLimited) {
  const auto header = [](std::string_view bytes, Direction direction = Direction::kFrontend) {
    return read_frame_header(as_bytes(bytes), direction);
  };
  EXPECT_FALSE(header("Q\0\0\0\x03"sv));
  EXPECT_FALSE(header("Q\0\0\0\0"sv));
  EXPECT_FALSE(header("Q\xff\xff\xff\xff"sv));
  EXPECT_FALSE(header("Q\x80\0\0\0"sv));
  EXPECT_TRUE(header("Q\x3f\xff\xff\xff"sv));
  EXPECT_FALSE(header("S\0\0\x27\x20"sv));  // Sync has no body to speak of.
  EXPECT_FALSE(header("E\0\x01\0\0"sv));
  EXPECT_TRUE(header("E\0\x01\0\0"sv, Direction::kBackend));
  const auto incomplete = header("Q\0\0\0"sv);
  ASSERT_TRUE(incomplete);
  EXPECT_FALSE(*incomplete);
}

// The same frames for every way of cutting the stream in two, and byte by byte.
TEST(Frames, TheWalkerSeesTheSameInAnyPieces) {
  const std::string stream = frame('T', "columns") + frame('D', std::string(300, 'x')) +
                             frame('D', "") + frame('C', "SELECT 2") + frame('Z', "I");
  const auto walk = [&](std::vector<std::string_view> pieces) {
    FrameWalker walker(Direction::kBackend);
    std::string seen;
    std::ptrdiff_t before = 0;
    for (const std::string_view piece : pieces) {
      const auto walked = walker.walk(as_bytes(piece), [&](FrameHeader header, std::ptrdiff_t at) {
        EXPECT_EQ(stream[static_cast<std::size_t>(before + at)], header.type);
        seen += header.type + std::to_string(header.body) + " ";
        return true;
      });
      EXPECT_TRUE(walked && *walked == piece.size());
      before += static_cast<std::ptrdiff_t>(piece.size());
    }
    EXPECT_TRUE(walker.at_boundary());
    return seen;
  };
  const std::string expected = "T7 D300 D0 C8 Z1 ";
  const std::string_view whole = stream;
  for (std::size_t cut = 0; cut <= whole.size(); ++cut)
    EXPECT_EQ(walk({whole.substr(0, cut), whole.substr(cut)}), expected) << cut;
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < whole.size(); ++i) bytes.push_back(whole.substr(i, 1));
  EXPECT_EQ(walk(bytes), expected);
}

TEST(Frames, TheWalkerStopsBeforeAFrame) {
  const std::string stream = frame('D', "abc") + frame('C', "SELECT 1");
  FrameWalker walker(Direction::kBackend);
  bool go = false;
  const auto begin = [&](FrameHeader header, std::ptrdiff_t) { return header.type == 'D' || go; };
  auto walked = walker.walk(as_bytes(stream), begin);
  ASSERT_TRUE(walked);
  EXPECT_EQ(*walked, 8u);
  go = true;
  walked = walker.walk(as_bytes(std::string_view(stream).substr(*walked)), begin);
  ASSERT_TRUE(walked);
  EXPECT_TRUE(walker.at_boundary());
}

TEST(Frames, TheWalkerRefusesWhatIsNoFrame) {
  FrameWalker walker(Direction::kBackend);
  EXPECT_FALSE(
      walker.walk(as_bytes("HTTP/1.1 200"), [](FrameHeader, std::ptrdiff_t) { return true; }));
}

// --- messages ------------------------------------------------------------------------------------

// What is written is read and written again as the same bytes.
template <class Message>
void expect_round_trip(const Message& message, Direction direction) {
  const std::string bytes = written(message);
  const auto framed = read_frame(as_bytes(bytes), direction);
  ASSERT_TRUE(framed && *framed) << bytes[0];
  EXPECT_EQ((*framed)->size, bytes.size());
  std::string again;
  if (direction == Direction::kFrontend) {
    const auto parsed = parse_frontend(**framed);
    ASSERT_TRUE(parsed) << bytes[0] << ": " << parsed.error().what;
    again = written(*parsed);
  } else {
    const auto parsed = parse_backend(**framed);
    ASSERT_TRUE(parsed) << bytes[0] << ": " << parsed.error().what;
    again = written(*parsed);
  }
  EXPECT_EQ(again, bytes);
}

const std::uint8_t kData[] = {0, 1, 2, 255};

TEST(Messages, EveryFrontendMessageRoundTrips) {
  const FrontendMessage messages[] = {
      Query{"select 1"},
      Query{""},
      Parse{"p", "select $1", {23, 0}},
      Parse{"", "", {}},
      Bind{"portal", "p", {1}, {Bytes(kData), std::nullopt, Bytes()}, {0, 1}},
      Bind{"", "", {}, {}, {}},
      Describe{'S', "p"},
      Describe{'P', ""},
      Close{'S', "p"},
      Close{'P', ""},
      Execute{"portal", 100},
      FunctionCall{1234, {0, 1}, {Bytes(kData), std::nullopt}, 1},
      CopyData{Bytes(kData)},
      CopyData{},
      CopyDone{},
      CopyFail{"no"},
      AuthenticationResponse{Bytes(kData)},
      Sync{},
      Flush{},
      Terminate{}};
  std::string types;
  for (const FrontendMessage& message : messages) {
    expect_round_trip(message, Direction::kFrontend);
    types += written(message)[0];
  }
  for (int c = 0; c < 256; ++c) {
    if (is_message_type(static_cast<char>(c), Direction::kFrontend))
      EXPECT_TRUE(types.contains(static_cast<char>(c))) << static_cast<char>(c);
  }
}

TEST(Messages, EveryBackendMessageRoundTrips) {
  using Kind = Authentication::Kind;
  const std::string mechanisms("SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0", 34);
  const std::string key(32, 'k');
  const BackendMessage messages[] = {Authentication{Kind::kOk, {}},
                                     Authentication{Kind::kCleartext, {}},
                                     Authentication{Kind::kKerberosV5, {}},
                                     Authentication{Kind::kMd5, Bytes(kData)},
                                     Authentication{Kind::kGss, {}},
                                     Authentication{Kind::kSspi, {}},
                                     Authentication{Kind::kGssContinue, Bytes(kData)},
                                     Authentication{Kind::kSasl, as_bytes(mechanisms)},
                                     Authentication{Kind::kSaslContinue, Bytes(kData)},
                                     Authentication{Kind::kSaslFinal, Bytes(kData)},
                                     BackendKeyData{7, Bytes(kData)},
                                     BackendKeyData{7, as_bytes(key)},
                                     CommandComplete{"INSERT 0 5"},
                                     CopyResponse{CopyResponse::Way::kIn, 0, {0, 0}},
                                     CopyResponse{CopyResponse::Way::kOut, 1, {1}},
                                     CopyResponse{CopyResponse::Way::kBoth, 0, {}},
                                     CopyData{Bytes(kData)},
                                     DataRow{{Bytes(kData), std::nullopt, Bytes()}},
                                     DataRow{},
                                     Report{true, {{'S', "ERROR"}, {'C', "42501"}, {'M', "no"}}},
                                     Report{false, {{'M', "n"}}},
                                     FunctionCallResponse{Bytes(kData)},
                                     FunctionCallResponse{},
                                     NegotiateProtocolVersion{2, {"_pq_.x", "_pq_.y"}},
                                     Notification{1, "chan", "load"},
                                     ParameterDescription{{23, 25}},
                                     ParameterStatus{"client_encoding", "UTF8"},
                                     ReadyForQuery{ReadyForQuery::State::kIdle},
                                     ReadyForQuery{ReadyForQuery::State::kTransaction},
                                     ReadyForQuery{ReadyForQuery::State::kFailed},
                                     RowDescription{{{"a", 16384, 1, 23, 4, UINT32_MAX, 0},
                                                     {"b", 0, 0, 25, 0xffff, UINT32_MAX, 1}}},
                                     Signal{'1'},
                                     Signal{'2'},
                                     Signal{'3'},
                                     Signal{'I'},
                                     Signal{'n'},
                                     Signal{'s'},
                                     Signal{'c'}};
  std::string types;
  for (const BackendMessage& message : messages) {
    expect_round_trip(message, Direction::kBackend);
    types += written(message)[0];
  }
  for (int c = 0; c < 256; ++c) {
    if (is_message_type(static_cast<char>(c), Direction::kBackend))
      EXPECT_TRUE(types.contains(static_cast<char>(c))) << static_cast<char>(c);
  }
}

std::optional<Frame> framed(std::string_view bytes, Direction direction) {
  const auto result = read_frame(as_bytes(bytes), direction);
  return result ? *result : std::nullopt;
}

TEST(Messages, MalformedBodiesAreRefused) {
  const std::pair<char, std::string_view> frontend[] = {{'Q', "select 1"sv},
                                                        {'Q', "select 1\0; drop table t\0"sv},
                                                        {'Q', ""sv},
                                                        {'P', "p\0select 1\0"sv},
                                                        {'P', "p\0select 1\0\0\x02\0\0\0\x17"sv},
                                                        {'P', "p\0s\0\0\0x"sv},
                                                        {'B',
                                                         "\0\0\0\0\0\x01\0\0\0\x05"
                                                         "abc\0\0"sv},
                                                        {'B', "\0\0\0\0\xff\xff\0\0"sv},
                                                        {'B', "\0\0\0\0\0\x01\x80\0\0\0\0\0"sv},
                                                        {'D', "Xp\0"sv},
                                                        {'D', "S"sv},
                                                        {'C', "\0p\0"sv},
                                                        {'E', "p\0\0\0"sv},
                                                        {'E', "p\0\0\0\0\0\0"sv},
                                                        {'F', "\0\0\0\x01\0\0"sv},
                                                        {'S', "x"sv},
                                                        {'H', "x"sv},
                                                        {'X', "x"sv},
                                                        {'c', "x"sv},
                                                        {'f', "no end"sv}};
  for (const auto& [type, body] : frontend) {
    const std::string bytes = frame(type, body);
    EXPECT_FALSE(parse_frontend(*framed(bytes, Direction::kFrontend)))
        << type << testing::PrintToString(body);
  }
  const std::pair<char, std::string_view> backend[] = {{'Z', "X"sv},
                                                       {'Z', ""sv},
                                                       {'Z', "II"sv},
                                                       {'R',
                                                        "\0\0\0\x05"
                                                        "abc"sv},
                                                       {'R', "\0\0\0\x63"sv},
                                                       {'R', "\0\0\0\x0aSCRAM"sv},
                                                       {'R', "\0\0\0\0x"sv},
                                                       {'K',
                                                        "\0\0\0\x01"
                                                        "abc"sv},
                                                       {'C', "SELECT"sv},
                                                       {'D',
                                                        "\0\x02\0\0\0\x01"
                                                        "a"sv},
                                                       {'D', "\xff\xff"sv},
                                                       {'E', "SERROR"sv},
                                                       {'E', "SERROR\0"sv},
                                                       {'E', "SERROR\0\0x"sv},
                                                       {'T',
                                                        "\0\x01"
                                                        "a\0"sv},
                                                       {'v',
                                                        "\0\0\0\0\xff\xff\xff\xff"
                                                        "a\0"sv},
                                                       {'t', "\0\x02\0\0\0\x17"sv},
                                                       {'S', "a\0b"sv},
                                                       {'1', "x"sv},
                                                       {'A',
                                                        "\0\0\0\x01"
                                                        "a\0"sv}};
  for (const auto& [type, body] : backend) {
    const std::string bytes = frame(type, body);
    EXPECT_FALSE(parse_backend(*framed(bytes, Direction::kBackend)))
        << type << testing::PrintToString(body);
  }
}

TEST(Messages, PasswordsAndSasl) {
  EXPECT_EQ(*password({as_bytes("secret\0"sv)}), "secret");
  EXPECT_FALSE(password({as_bytes("secret"sv)}));
  EXPECT_FALSE(password({as_bytes("a\0b\0"sv)}));
  const auto initial = sasl_initial({as_bytes("SCRAM-SHA-256\0\0\0\0\x03n,,"sv)});
  ASSERT_TRUE(initial);
  EXPECT_EQ(initial->mechanism, "SCRAM-SHA-256");
  EXPECT_EQ(as_text(*initial->data), "n,,");
  EXPECT_FALSE(sasl_initial({as_bytes("SCRAM-SHA-256\0\0\0\0\x04n,,"sv)}));
  EXPECT_FALSE(sasl_initial({as_bytes("SCRAM-SHA-256"sv)}));
}

TEST(Messages, RowsOfATag) {
  EXPECT_EQ(CommandComplete{"INSERT 0 5"}.rows(), 5u);
  EXPECT_EQ(CommandComplete{"SELECT 1000"}.rows(), 1000u);
  EXPECT_EQ(CommandComplete{"BEGIN"}.rows(), std::nullopt);
  EXPECT_EQ(CommandComplete{"CREATE TABLE"}.rows(), std::nullopt);
}

}  // namespace
}  // namespace agentsh::sql
