#include "dlp/inflate.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <new>
#include <span>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kBlock = 16 << 10;
constexpr int kWindowLog = 23;  // 8 MiB.

// Counts what goes in and comes out.
class Meter {
 public:
  explicit Meter(InflateLimits limits) : limits_(limits) {}

  void took(std::size_t bytes) { in_ += bytes; }
  Result<void> gave(std::size_t bytes) {
    out_ += bytes;
    if (out_ > limits_.max_output) return fail("the body is too large once it is decompressed");
    if (out_ > limits_.max_free && out_ / limits_.max_ratio > in_) {
      return fail("the body grows too much when it is decompressed");
    }
    return {};
  }

 private:
  InflateLimits limits_;
  std::uint64_t in_ = 0;
  std::uint64_t out_ = 0;
};

std::unexpected<Error> damaged() {
  return fail("the body is not compressed as it says");
}

// The common part: errors stay, the end is the end.
class Decoder : public Inflater {
 public:
  explicit Decoder(InflateLimits limits) : meter_(limits) {}

  Result<void> push(std::string_view chunk, std::string& out) final {
    if (failed_) return std::unexpected(*failed_);
    Result<void> outcome = decode(chunk, out);
    if (!outcome) failed_ = outcome.error();
    return outcome;
  }

  Result<void> finish() final {
    if (failed_) return std::unexpected(*failed_);
    if (!is_complete()) return fail("the compressed body ends too early");
    return {};
  }

 protected:
  virtual Result<void> decode(std::string_view chunk, std::string& out) = 0;
  virtual bool is_complete() const = 0;

  Result<void> give(std::span<const char> bytes, std::string& out) {
    out.append(bytes.data(), bytes.size());
    return meter_.gave(bytes.size());
  }

  Meter meter_;

 private:
  std::optional<Error> failed_;
};

class Identity final : public Decoder {
 public:
  using Decoder::Decoder;

 private:
  Result<void> decode(std::string_view chunk, std::string& out) override {
    meter_.took(chunk.size());
    return give(chunk, out);
  }
  bool is_complete() const override { return true; }
};

class Zlib final : public Decoder {
 public:
  Zlib(InflateLimits limits, bool is_gzip) : Decoder(limits), is_gzip_(is_gzip) {}
  ~Zlib() override {
    if (is_open_) inflateEnd(&stream_);
  }

 private:
  static constexpr int kGzip = 16;

  // The format of "deflate" is told by its first two bytes.
  Result<void> open(std::string_view& chunk) {
    while (!is_gzip_ && head_.size() < 2 && !chunk.empty()) {
      head_ += chunk.front();
      chunk.remove_prefix(1);
    }
    if (!is_gzip_ && head_.size() < 2) return {};
    int bits = MAX_WBITS + kGzip;
    if (!is_gzip_) {
      const unsigned word =
          static_cast<unsigned char>(head_[0]) * 256u + static_cast<unsigned char>(head_[1]);
      const bool is_wrapped = (head_[0] & 0x0f) == 8 && word % 31 == 0;
      bits = is_wrapped ? MAX_WBITS : -MAX_WBITS;
    }
    if (inflateInit2(&stream_, bits) != Z_OK) throw std::bad_alloc();
    is_open_ = true;
    return {};
  }

  Result<void> decode(std::string_view chunk, std::string& out) override {
    if (!is_open_) {
      if (auto opened = open(chunk); !opened) return opened;
      if (!is_open_) return {};
      const std::string head = std::exchange(head_, {});
      if (auto ok = inflate_all(head, out); !ok) return ok;
    }
    return inflate_all(chunk, out);
  }

  Result<void> inflate_all(std::string_view in, std::string& out) {
    char block[kBlock];
    while (!in.empty()) {
      if (is_done_) {
        // gzip may be several members one after the other.
        if (!is_gzip_) return damaged();
        inflateReset(&stream_);
        is_done_ = false;
      }
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(in.size(), 1 << 30));
      const uInt offered = stream_.avail_in;
      do {
        stream_.next_out = reinterpret_cast<Bytef*>(block);
        stream_.avail_out = kBlock;
        const uInt before = stream_.avail_in;
        const int code = inflate(&stream_, Z_NO_FLUSH);
        meter_.took(before - stream_.avail_in);
        if (auto ok = give({block, kBlock - stream_.avail_out}, out); !ok) return ok;
        if (code == Z_STREAM_END) {
          is_done_ = true;
          break;
        }
        if (code != Z_OK && code != Z_BUF_ERROR) return damaged();
        if (code == Z_BUF_ERROR && stream_.avail_out == kBlock) break;
      } while (stream_.avail_in > 0 || stream_.avail_out == 0);
      in.remove_prefix(offered - stream_.avail_in);
    }
    return {};
  }

  bool is_complete() const override { return is_done_; }

  bool is_gzip_;
  bool is_open_ = false;
  bool is_done_ = false;
  std::string head_;
  z_stream stream_{};
};

class Brotli final : public Decoder {
 public:
  explicit Brotli(InflateLimits limits)
      : Decoder(limits), state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (state_ == nullptr) throw std::bad_alloc();
  }
  ~Brotli() override { BrotliDecoderDestroyInstance(state_); }

 private:
  Result<void> decode(std::string_view chunk, std::string& out) override {
    std::uint8_t block[kBlock];
    std::size_t available = chunk.size();
    const auto* next = reinterpret_cast<const std::uint8_t*>(chunk.data());
    while (true) {
      if (is_done_) return available == 0 ? Result<void>() : damaged();
      std::size_t room = kBlock;
      std::uint8_t* to = block;
      const std::size_t before = available;
      const auto result =
          BrotliDecoderDecompressStream(state_, &available, &next, &room, &to, nullptr);
      meter_.took(before - available);
      if (auto ok = give({reinterpret_cast<const char*>(block), kBlock - room}, out); !ok)
        return ok;
      if (result == BROTLI_DECODER_RESULT_ERROR) return damaged();
      if (result == BROTLI_DECODER_RESULT_SUCCESS) is_done_ = true;
      if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return {};
    }
  }
  bool is_complete() const override { return is_done_; }

  BrotliDecoderState* state_;
  bool is_done_ = false;
};

class Zstd final : public Decoder {
 public:
  explicit Zstd(InflateLimits limits) : Decoder(limits), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kWindowLog);
  }
  ~Zstd() override { ZSTD_freeDStream(stream_); }

 private:
  Result<void> decode(std::string_view chunk, std::string& out) override {
    char block[kBlock];
    ZSTD_inBuffer in{chunk.data(), chunk.size(), 0};
    while (true) {
      ZSTD_outBuffer to{block, kBlock, 0};
      const std::size_t before = in.pos;
      const std::size_t hint = ZSTD_decompressStream(stream_, &to, &in);
      if (ZSTD_isError(hint)) return damaged();
      meter_.took(in.pos - before);
      if (in.pos != before || to.pos != 0) is_done_ = hint == 0;
      if (auto ok = give({block, to.pos}, out); !ok) return ok;
      if (in.pos == in.size && to.pos < kBlock) return {};
    }
  }
  bool is_complete() const override { return is_done_; }

  ZSTD_DStream* stream_;
  bool is_done_ = false;  // At the end of a frame; another may follow.
};

}  // namespace

std::optional<Coding> parse_coding(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
  });
  if (lower.empty() || lower == "identity") return Coding::kIdentity;
  if (lower == "gzip" || lower == "x-gzip") return Coding::kGzip;
  if (lower == "deflate") return Coding::kDeflate;
  if (lower == "br") return Coding::kBrotli;
  if (lower == "zstd") return Coding::kZstd;
  return std::nullopt;
}

std::unique_ptr<Inflater> Inflater::make(Coding coding, InflateLimits limits) {
  switch (coding) {
    case Coding::kIdentity:
      return std::make_unique<Identity>(limits);
    case Coding::kGzip:
      return std::make_unique<Zlib>(limits, true);
    case Coding::kDeflate:
      return std::make_unique<Zlib>(limits, false);
    case Coding::kBrotli:
      return std::make_unique<Brotli>(limits);
    case Coding::kZstd:
      return std::make_unique<Zstd>(limits);
  }
  return nullptr;
}

}  // namespace agentsh::dlp
