// permessage-deflate: the examples of RFC 7692 §7.2.3, negotiation, limits.
#include "proxy/codec/websocket/deflate.h"

#include <gtest/gtest.h>

namespace agentsh::websocket {
namespace {

using namespace std::string_view_literals;

std::string inflated(Inflater& inflater, std::string_view payload) {
  std::string out;
  EXPECT_EQ(inflater.inflate(payload, 1 << 20, out), Inflater::Outcome::kDone);
  return out;
}

TEST(WebSocketDeflate, InflatesTheExamplesOfTheRfc) {
  Inflater inflater(15, true);
  EXPECT_EQ(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"sv), "Hello");
  EXPECT_EQ(inflated(inflater, "\xf2\x00\x11\x00\x00"sv), "Hello");  // From the window.
  Inflater stored(15, true);
  EXPECT_EQ(inflated(stored, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"sv), "Hello");
  Inflater final_block(15, true);
  EXPECT_EQ(inflated(final_block, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"sv), "Hello");
  EXPECT_EQ(inflated(final_block, "\xf2\x00\x11\x00\x00"sv), "Hello");  // The window lives on.
  Inflater two_blocks(15, true);
  EXPECT_EQ(inflated(two_blocks, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"sv),
            "Hello");
  EXPECT_EQ(inflated(two_blocks, "\x00"sv), "");
}

TEST(WebSocketDeflate, WithoutTakeoverTheWindowIsEmpty) {
  Inflater inflater(15, false);
  EXPECT_EQ(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"sv), "Hello");
  std::string out;
  EXPECT_EQ(inflater.inflate("\xf2\x00\x11\x00\x00"sv, 100, out), Inflater::Outcome::kMalformed);
}

TEST(WebSocketDeflate, RoundTripsWithEveryWindow) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "event " + std::to_string(i * 7919 % 1000) + ", ";
  for (int bits = 9; bits <= 15; ++bits) {
    for (bool takeover : {false, true}) {
      Deflater deflater(bits, takeover);
      Inflater inflater(bits, takeover);
      for (std::string_view message :
           {std::string_view(text), ""sv, "x"sv, ""sv, std::string_view(text)}) {
        std::string packed;
        ASSERT_TRUE(deflater.deflate(message, packed));
        EXPECT_EQ(inflated(inflater, packed), message);
      }
    }
  }
  Deflater eight(8, true);
  std::string out;
  EXPECT_FALSE(eight.deflate("x", out));
}

TEST(WebSocketDeflate, StopsAtTheLimit) {
  Deflater deflater(15, true);
  std::string bomb;
  ASSERT_TRUE(deflater.deflate(std::string(8 << 20, 'a'), bomb));
  EXPECT_LT(bomb.size(), 20000U);
  Inflater inflater(15, true);
  std::string out;
  EXPECT_EQ(inflater.inflate(bomb, 1 << 20, out), Inflater::Outcome::kTooLarge);
  EXPECT_LE(out.size(), std::size_t{1} << 20);
}

TEST(WebSocketDeflate, RefusesWhatIsNotCompressed) {
  for (std::string_view payload : {"\xff\xff\xff"sv, "\x07"sv, "\x00\x05\x00\x00\x00Hello"sv}) {
    Inflater inflater(15, true);
    std::string out;
    EXPECT_EQ(inflater.inflate(payload, 100, out), Inflater::Outcome::kMalformed);
  }
}

TEST(WebSocketDeflate, ReadsWhatWasNegotiated) {
  DeflateParameters parameters;
  EXPECT_EQ(read_negotiated("", parameters), Negotiation::kNone);
  EXPECT_EQ(read_negotiated("permessage-deflate", parameters), Negotiation::kDeflate);
  EXPECT_EQ(parameters, DeflateParameters());
  EXPECT_EQ(read_negotiated("permessage-deflate; server_no_context_takeover ;"
                            "client_max_window_bits=\"10\"; server_max_window_bits = 9",
                            parameters),
            Negotiation::kDeflate);
  EXPECT_TRUE(parameters.server_no_context_takeover);
  EXPECT_FALSE(parameters.client_no_context_takeover);
  EXPECT_EQ(parameters.client_max_window_bits, 10);
  EXPECT_EQ(parameters.server_max_window_bits, 9);
  for (std::string_view text :
       {"x-webkit-deflate-frame", "permessage-deflate, permessage-deflate",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; what",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover"}) {
    EXPECT_EQ(read_negotiated(text, parameters), Negotiation::kUnknown) << text;
  }
}

}  // namespace
}  // namespace agentsh::websocket
