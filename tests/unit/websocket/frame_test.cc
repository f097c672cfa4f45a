// Frame headers: the examples of RFC 6455 §5.7 and what must be refused.
#include "proxy/codec/websocket/frame.h"

#include <gtest/gtest.h>

namespace agentsh::websocket {
namespace {

using namespace std::string_view_literals;

HeaderStep step_of(std::string_view bytes) {
  FrameHeader header;
  std::size_t size = 0;
  return read_frame_header(bytes, header, size);
}

TEST(WebSocketFrame, ReadsTheExamplesOfTheRfc) {
  FrameHeader header;
  std::size_t size = 0;
  ASSERT_EQ(read_frame_header("\x81\x05Hello"sv, header, size), HeaderStep::kHeader);
  EXPECT_EQ(size, 2U);
  EXPECT_EQ(header.payload_size, 5U);
  EXPECT_FALSE(header.mask);
  std::string masked = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  ASSERT_EQ(read_frame_header(masked, header, size), HeaderStep::kHeader);
  EXPECT_EQ(size, 6U);
  apply_mask(*header.mask, 0, masked.data() + size, 5);
  EXPECT_EQ(masked.substr(size), "Hello");
  ASSERT_EQ(read_frame_header("\x82\x7e\x01\x00"sv, header, size), HeaderStep::kHeader);
  EXPECT_EQ(header.payload_size, 256U);
  ASSERT_EQ(read_frame_header("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"sv, header, size),
            HeaderStep::kHeader);
  EXPECT_EQ(header.payload_size, 65536U);
}

TEST(WebSocketFrame, RefusesMalformedHeaders) {
  EXPECT_EQ(step_of("\xa1\x00"sv), HeaderStep::kMalformed);  // RSV2
  EXPECT_EQ(step_of("\x91\x00"sv), HeaderStep::kMalformed);  // RSV3
  EXPECT_EQ(step_of("\x83\x00"sv), HeaderStep::kMalformed);  // Reserved opcode.
  EXPECT_EQ(step_of("\x8b\x00"sv), HeaderStep::kMalformed);
  EXPECT_EQ(step_of("\x09\x00"sv), HeaderStep::kMalformed);          // A ping in fragments.
  EXPECT_EQ(step_of("\xc9\x00"sv), HeaderStep::kMalformed);          // A compressed ping.
  EXPECT_EQ(step_of("\x89\x7e\x00\x7e"sv), HeaderStep::kMalformed);  // A long ping.
  EXPECT_EQ(step_of("\x81\x7e\x00\x7d"sv), HeaderStep::kMalformed);  // Not the shortest.
  EXPECT_EQ(step_of("\x81\x7f\0\0\0\0\0\0\xff\xff"sv), HeaderStep::kMalformed);
  EXPECT_EQ(step_of("\x81\x7f\x80\0\0\0\0\1\0\0"sv), HeaderStep::kMalformed);  // 64 bits.
}

TEST(WebSocketFrame, WritesWhatItReads) {
  for (std::uint64_t length : {0ULL, 1ULL, 125ULL, 126ULL, 65535ULL, 65536ULL, 1ULL << 40}) {
    for (bool masked : {false, true}) {
      FrameHeader header{.final = masked,
                         .compressed = !masked,
                         .opcode = Opcode::kBinary,
                         .payload_size = length};
      if (masked) header.mask = MaskKey{1, 2, 3, 4};
      std::string bytes;
      write_frame_header(header, bytes);
      for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        EXPECT_EQ(step_of(std::string_view(bytes).substr(0, cut)), HeaderStep::kNeedMore);
      }
      FrameHeader read;
      std::size_t size = 0;
      ASSERT_EQ(read_frame_header(bytes, read, size), HeaderStep::kHeader);
      EXPECT_EQ(size, bytes.size());
      EXPECT_EQ(read.payload_size, length);
      EXPECT_EQ(read.final, header.final);
      EXPECT_EQ(read.compressed, header.compressed);
      EXPECT_EQ(read.mask, header.mask);
    }
  }
}

TEST(WebSocketFrame, KnowsCloseCodes) {
  for (int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999}) {
    EXPECT_TRUE(is_close_code(static_cast<std::uint16_t>(code))) << code;
  }
  for (int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    EXPECT_FALSE(is_close_code(static_cast<std::uint16_t>(code))) << code;
  }
}

}  // namespace
}  // namespace agentsh::websocket
