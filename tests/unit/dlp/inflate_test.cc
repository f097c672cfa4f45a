#include "dlp/inflate.h"

#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

namespace agentsh::dlp {
namespace {

std::string zlib_coded(std::string_view text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string coded(Coding coding, std::string_view text) {
  switch (coding) {
    case Coding::kIdentity:
      return std::string(text);
    case Coding::kGzip:
      return zlib_coded(text, 15 + 16);
    case Coding::kDeflate:
      return zlib_coded(text, 15);
    case Coding::kBrotli: {
      std::size_t size = BrotliEncoderMaxCompressedSize(text.size());
      std::string out(size, '\0');
      EXPECT_TRUE(BrotliEncoderCompress(5, 22, BROTLI_MODE_TEXT, text.size(),
                                        reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                                        reinterpret_cast<std::uint8_t*>(out.data())));
      out.resize(size);
      return out;
    }
    case Coding::kZstd: {
      std::string out(ZSTD_compressBound(text.size()), '\0');
      out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
      return out;
    }
  }
  return {};
}

// The text, or the error's sentence.
std::string inflated(Coding coding, std::string_view in, std::size_t size,
                     InflateLimits limits = {}) {
  const auto inflater = Inflater::make(coding, limits);
  std::string out;
  for (; !in.empty(); in.remove_prefix(std::min(size, in.size()))) {
    if (auto ok = inflater->push(in.substr(0, size), out); !ok) {
      EXPECT_FALSE(inflater->push("x", out)) << "an error stays";
      return ok.error().what;
    }
  }
  if (auto ok = inflater->finish(); !ok) return ok.error().what;
  return out;
}

constexpr Coding kCompressed[] = {Coding::kGzip, Coding::kDeflate, Coding::kBrotli, Coding::kZstd};

std::string sample() {
  std::mt19937 random(1);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "abc de"[random() % 6];
  return text;
}

TEST(Inflate, EveryCodingInEveryChunking) {
  const std::string text = sample();
  for (const Coding coding : kCompressed) {
    const std::string in = coded(coding, text);
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, in.size()}) {
      EXPECT_EQ(inflated(coding, in, size), text) << static_cast<int>(coding) << " by " << size;
    }
    EXPECT_EQ(inflated(coding, coded(coding, ""), 1), "");
  }
  EXPECT_EQ(inflated(Coding::kIdentity, text, 100), text);
}

TEST(Inflate, DeflateWithoutItsWrapperAndMembersOfGzip) {
  const std::string text = sample();
  EXPECT_EQ(inflated(Coding::kDeflate, zlib_coded(text, -15), 1), text);
  const std::string two = coded(Coding::kGzip, "one ") + coded(Coding::kGzip, "two");
  EXPECT_EQ(inflated(Coding::kGzip, two, 1), "one two");
  EXPECT_EQ(inflated(Coding::kGzip, two, 100), "one two");
  EXPECT_EQ(inflated(Coding::kZstd, coded(Coding::kZstd, "one ") + coded(Coding::kZstd, "two"), 3),
            "one two");
}

TEST(Inflate, BombsEndInAnError) {
  const std::string zeros(8 << 20, '\0');
  for (const Coding coding : kCompressed) {
    const std::string in = coded(coding, zeros);
    EXPECT_EQ(inflated(coding, in, in.size()), "the body grows too much when it is decompressed")
        << static_cast<int>(coding);
    EXPECT_EQ(inflated(coding, in, 10, {.max_output = 1 << 20, .max_ratio = 1'000'000}),
              "the body is too large once it is decompressed");
  }
  EXPECT_EQ(inflated(Coding::kIdentity, "abcdef", 1, {.max_output = 5}),
            "the body is too large once it is decompressed");
}

TEST(Inflate, DamagedOrCutIsAnError) {
  const std::string text = sample();
  for (const Coding coding : kCompressed) {
    std::string in = coded(coding, text);
    EXPECT_EQ(inflated(coding, in.substr(0, in.size() - 5), 100),
              "the compressed body ends too early");
    EXPECT_EQ(inflated(coding, "", 1), "the compressed body ends too early");
    EXPECT_NE(inflated(coding, "this is no compressed text at all", 5), text);
    if (coding != Coding::kGzip && coding != Coding::kZstd) {
      EXPECT_EQ(inflated(coding, in + "x", 100), "the body is not compressed as it says");
    }
    in[in.size() / 2] = static_cast<char>(in[in.size() / 2] ^ 0x55);
    EXPECT_NE(inflated(coding, in, 100), text);
  }
}

TEST(Inflate, NamesOfCodings) {
  EXPECT_EQ(parse_coding("GZIP"), Coding::kGzip);
  EXPECT_EQ(parse_coding("x-gzip"), Coding::kGzip);
  EXPECT_EQ(parse_coding("br"), Coding::kBrotli);
  EXPECT_EQ(parse_coding("zstd"), Coding::kZstd);
  EXPECT_EQ(parse_coding("deflate"), Coding::kDeflate);
  EXPECT_EQ(parse_coding(""), Coding::kIdentity);
  EXPECT_FALSE(parse_coding("compress"));
}

}  // namespace
}  // namespace agentsh::dlp
