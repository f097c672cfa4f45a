// The event stream encoding against the vectors that AWS publishes with its SDKs, and at every
// chunk border.
#include "proxy/codec/event_stream/decoder.h"
#include "proxy/codec/event_stream/encoder.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace agentsh::event_stream {
namespace {

using namespace std::string_view_literals;

struct Vector {
  const char* name;
  std::string_view bytes;
  std::size_t headers;
  std::string_view payload;
};

constexpr std::string_view kEmpty =
    "\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff"sv;
constexpr std::string_view kNoHeaders =
    "\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36"sv;
constexpr std::string_view kOneHeader =
    "\x00\x00\x00\x3d\x00\x00\x00\x20\x07\xfd\x83\x96\x0c"
    "content-type\x07\x00\x10"
    "application/json{'foo':'bar'}\x8d\x9c\x08\xb1"sv;
constexpr std::string_view kAllTypes =
    "\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c"
    "\x01"
    "0\x00"
    "\x01"
    "1\x01"
    "\x01"
    "2\x02\x02"
    "\x01"
    "3\x03\x00\x03"
    "\x01"
    "4\x04\x00\x00\x00\x04"
    "\x01"
    "5\x05\x00\x00\x00\x00\x00\x00\x00\x05"
    "\x01"
    "6\x06\x00\x05"
    "bytes"
    "\x01"
    "7\x07\x00\x04utf8"
    "\x01"
    "8\x08\x00\x00\x00\x00\x00\x00\x00\x08"
    "\x01"
    "9\x09"
    "0123456789abcdef"
    "\x63\x35\x36\x71"sv;
constexpr std::string_view kError =
    "\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e\x0d:message-type\x07\x00\x05"
    "error\x0b:error-code\x07\x00\x04"
    "code\x0e:error-message\x07\x00\x07message\x6b\x6c\xea\x3d"sv;

constexpr std::array<Vector, 5> kVectors = {{
    {"empty_message", kEmpty, 0, ""},
    {"payload_no_headers", kNoHeaders, 0, "{'foo':'bar'}"},
    {"payload_one_str_header", kOneHeader, 1, "{'foo':'bar'}"},
    {"all_headers", kAllTypes, 10, ""},
    {"error_event", kError, 3, ""},
}};

TEST(EventStream, DecodesPublishedVectorsAtEveryBorder) {
  for (const Vector& vector : kVectors) {
    for (std::size_t cut = 0; cut < vector.bytes.size(); ++cut) {
      Decoder decoder;
      Message message;
      decoder.feed(vector.bytes.substr(0, cut));
      EXPECT_EQ(decoder.next(message), Step::kNeedMore) << vector.name << " cut at " << cut;
      decoder.feed(vector.bytes.substr(cut));
      ASSERT_EQ(decoder.next(message), Step::kMessage) << vector.name << " cut at " << cut;
      EXPECT_EQ(message.raw, vector.bytes);
      EXPECT_EQ(message.payload, vector.payload);
      EXPECT_EQ(message.headers.size(), vector.headers);
      EXPECT_FALSE(decoder.mid_message());
    }
  }
}

TEST(EventStream, EncodesPublishedVectors) {
  for (const Vector& vector : kVectors) {
    Decoder decoder;
    Message message;
    decoder.feed(vector.bytes);
    ASSERT_EQ(decoder.next(message), Step::kMessage);
    std::string headers;
    write_headers(message.headers, headers);
    EXPECT_EQ(headers, message.header_bytes) << vector.name;
    std::string out;
    ASSERT_TRUE(write_message(headers, message.payload, out));
    EXPECT_EQ(out, vector.bytes) << vector.name;
  }
}

TEST(EventStream, NamesHeaders) {
  Decoder decoder;
  Message message;
  decoder.feed(kError);
  ASSERT_EQ(decoder.next(message), Step::kMessage);
  EXPECT_EQ(message.text(":message-type"), "error");
  EXPECT_EQ(message.text(":error-code"), "code");
  EXPECT_EQ(message.text(":event-type"), "");
}

TEST(EventStream, SeveralMessagesInOneChunk) {
  std::string stream;
  for (const Vector& vector : kVectors) stream += vector.bytes;
  stream += kOneHeader.substr(0, 20);
  Decoder decoder;
  Message message;
  decoder.feed(stream);
  for (const Vector& vector : kVectors) {
    ASSERT_EQ(decoder.next(message), Step::kMessage);
    EXPECT_EQ(message.raw, vector.bytes);
  }
  EXPECT_EQ(decoder.next(message), Step::kNeedMore);
  EXPECT_TRUE(decoder.mid_message());
}

Step first_step(std::string_view bytes) {
  Decoder decoder;
  Message message;
  decoder.feed(bytes);
  const Step step = decoder.next(message);
  decoder.feed(kEmpty);
  if (step != Step::kMessage && step != Step::kNeedMore) {
    EXPECT_EQ(decoder.next(message), step);
  }
  return step;
}

TEST(EventStream, RefusesWhatIsCorrupted) {
  // The published negative vectors: length, header length, headers, payload.
  std::string bytes(kNoHeaders);
  bytes[0] = '\x01';
  EXPECT_EQ(first_step(bytes), Step::kBadPreludeChecksum);
  bytes = kOneHeader;
  bytes[4] = '\xff';
  EXPECT_EQ(first_step(bytes), Step::kBadPreludeChecksum);
  bytes = kOneHeader;
  bytes[20] = '+';
  EXPECT_EQ(first_step(bytes), Step::kBadChecksum);
  bytes = kNoHeaders;
  bytes[24] = '\x8d';
  EXPECT_EQ(first_step(bytes), Step::kBadChecksum);
  // Header length beyond the message and a header of the same name twice, with right checksums.
  EXPECT_EQ(first_step("\x00\x00\x00\x3d\xff\x00\x01\x02\x15\x83\xf5\xc2"sv), Step::kBadLength);
  EXPECT_EQ(first_step("\x00\x00\x00\x24\x00\x00\x00\x14\x4b\xb9\x82\xd0\x04test\x04"
                       "asdf\x04test\x04"
                       "asdf\xf3\xf4\x75\x63"sv),
            Step::kBadHeaders);
}

TEST(EventStream, EveryFlippedBitIsNoticed) {
  for (std::size_t i = 0; i < kOneHeader.size() * 8; ++i) {
    std::string bytes(kOneHeader);
    bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ 1 << i % 8);
    EXPECT_NE(first_step(bytes), Step::kMessage) << "bit " << i;
  }
}

TEST(EventStream, RefusesMessagesOverTheLimit) {
  Decoder decoder(32);
  Message message;
  decoder.feed(kOneHeader);
  EXPECT_EQ(decoder.next(message), Step::kBadLength);
  std::string out;
  EXPECT_FALSE(write_message({}, std::string(kMaxMessageBytes, 'x'), out));
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace agentsh::event_stream
