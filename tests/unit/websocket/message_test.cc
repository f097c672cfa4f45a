// Messages out of frames and back, at every chunk border; what fails a connection.
#include "proxy/codec/websocket/message_reader.h"
#include "proxy/codec/websocket/message_writer.h"

#include <gtest/gtest.h>

#include <vector>

namespace agentsh::websocket {
namespace {

using namespace std::string_view_literals;

constexpr MaskKey kKey = {0x37, 0xfa, 0x21, 0x3d};

struct Seen {
  Opcode opcode;
  std::string payload;
  std::uint16_t code;
  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Read {
  std::vector<Seen> messages;
  Failure failure = Failure::kNone;
  friend bool operator==(const Read&, const Read&) = default;
};

Read read(const std::vector<std::string_view>& pieces, Sender sender,
          std::optional<DeflateParameters> deflate = {}, std::size_t limit = 1000) {
  MessageReader reader(sender, deflate, limit);
  Read result;
  Message message;
  for (std::string_view piece : pieces) {
    reader.feed(piece);
    while (reader.next(message) == Step::kMessage) {
      result.messages.push_back({message.opcode, std::string(message.payload), message.code});
    }
  }
  result.failure = reader.failure();
  return result;
}

Read read_all_ways(std::string_view text, Sender sender,
                   std::optional<DeflateParameters> deflate = {}, std::size_t limit = 1000) {
  const Read whole = read({text}, sender, deflate, limit);
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  EXPECT_EQ(read(bytes, sender, deflate, limit), whole);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_EQ(read({text.substr(0, cut), text.substr(cut)}, sender, deflate, limit), whole);
  }
  return whole;
}

Read server(std::string_view text) {
  return read_all_ways(text, Sender::kServer);
}

TEST(WebSocketMessage, PutsFragmentsTogetherWithControlFramesBetween) {
  const Read result = server(
      "\x01\x03Hel\x89\x02hi\x80\x02lo\x81\x01!\x88\x05\x03\xe8"
      "bye"sv);
  const std::vector<Seen> expected = {{Opcode::kPing, "hi", 0},
                                      {Opcode::kText, "Hello", 0},
                                      {Opcode::kText, "!", 0},
                                      {Opcode::kClose, "bye", 1000}};
  EXPECT_EQ(result.messages, expected);
  EXPECT_EQ(result.failure, Failure::kNone);
}

TEST(WebSocketMessage, NothingCountsAfterClose) {
  const Read result = server("\x88\x00\x81\x02hi\xff\xff"sv);
  ASSERT_EQ(result.messages.size(), 1U);
  EXPECT_EQ(result.messages[0].code, 0);
}

TEST(WebSocketMessage, FailsWhatTheProtocolForbids) {
  EXPECT_EQ(server("\x80\x00"sv).failure, Failure::kProtocol);  // Continues nothing.
  EXPECT_EQ(server("\x01\x01"
                   "a\x81\x01"
                   "b"sv)
                .failure,
            Failure::kProtocol);                                // Begins within.
  EXPECT_EQ(server("\xc1\x00"sv).failure, Failure::kProtocol);  // Not negotiated.
  EXPECT_EQ(server("\x81\x80\x00\x00\x00\x00"sv).failure,
            Failure::kProtocol);  // Masked by a server.
  EXPECT_EQ(read_all_ways("\x81\x00"sv, Sender::kClient).failure, Failure::kProtocol);
  EXPECT_EQ(server("\x88\x01\x03"sv).failure, Failure::kProtocol);
  EXPECT_EQ(server("\x88\x02\x03\xed"sv).failure, Failure::kProtocol);  // 1005
  EXPECT_EQ(server("\x88\x03\x03\xe8\xff"sv).failure, Failure::kNotText);
  EXPECT_EQ(server("\x81\x02\xc3\x28"sv).failure, Failure::kNotText);
  EXPECT_EQ(server("\x01\x01\xc3\x80\x01\xa9"sv).failure, Failure::kNone);  // é in two frames.
  EXPECT_EQ(server("\x82\x02\xc3\x28"sv).failure, Failure::kNone);          // Binary is free.
}

TEST(WebSocketMessage, HoldsNoMoreThanTheLimit) {
  EXPECT_EQ(read_all_ways("\x82\x0b"sv, Sender::kServer, {}, 10).failure, Failure::kTooLarge);
  EXPECT_EQ(read_all_ways("\x02\x06"
                          "abcdef\x80\x05"
                          "ghijk"sv,
                          Sender::kServer, {}, 10)
                .failure,
            Failure::kTooLarge);
  EXPECT_EQ(read_all_ways("\x82\x0a"
                          "abcdefghij\x82\x0a"
                          "abcdefghij"sv,
                          Sender::kServer, {}, 10)
                .failure,
            Failure::kNone);
}

TEST(WebSocketMessage, RoundTripsBothWaysAndCompressed) {
  const std::string text = R"({"type":"response.output_text.delta","delta":"Hello"})";
  for (Sender sender : {Sender::kClient, Sender::kServer}) {
    for (const std::optional<DeflateParameters>& deflate :
         {std::optional<DeflateParameters>(), std::optional(DeflateParameters()),
          std::optional(DeflateParameters{true, true, 9, 9}),
          std::optional(DeflateParameters{false, false, 8, 8})}) {
      MessageWriter writer(sender, deflate);
      std::string out;
      const std::vector<Seen> sent = {{Opcode::kText, text, 0}, {Opcode::kPing, "p", 0},
                                      {Opcode::kBinary, "", 0}, {Opcode::kText, text, 0},
                                      {Opcode::kPong, "", 0},   {Opcode::kClose, "why", 4000}};
      for (const Seen& message : sent) {
        writer.write({.opcode = message.opcode,
                      .payload = message.payload,
                      .code = message.code,
                      .compressed = true},
                     kKey, out);
      }
      const Read result = read_all_ways(out, sender, deflate);
      EXPECT_EQ(result.messages, sent);
      EXPECT_EQ(result.failure, Failure::kNone);
    }
  }
}

TEST(WebSocketMessage, RepeatedMessagesShrinkWithContext) {
  MessageWriter writer(Sender::kServer, DeflateParameters());
  std::string first;
  std::string second;
  const std::string text = R"({"type":"session.update","session":{"instructions":"be brief"}})";
  writer.write({.payload = text, .compressed = true}, kKey, first);
  writer.write({.payload = text, .compressed = true}, kKey, second);
  EXPECT_LT(second.size(), first.size() / 3);
}

}  // namespace
}  // namespace agentsh::websocket
