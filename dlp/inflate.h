// Content codings (RFC 9110, 8.4.1) undone as bytes come in, within limits: gzip (RFC 1952),
// deflate (RFC 1950, and RFC 1951 without its wrapper, which some send), br (RFC 7932), zstd (RFC
// 8878).
//
//   auto inflater = Inflater::make(*parse_coding("gzip"), {});
//   if (auto ok = inflater->push(chunk, out); !ok) ...   // refuse the message
//   if (auto ok = inflater->finish(); !ok) ...           // it ended too early
//
// A bomb is an error: more output than max_output, or than max_ratio times the input. Memory: the
// decoder's window, 8 MiB at most (RFC 8878, 3.1.1.1.2; larger ones are an error).
//
// Threads: one owner.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::dlp {

enum class Coding : std::uint8_t { kIdentity, kGzip, kDeflate, kBrotli, kZstd };

// "gzip", "x-gzip", "deflate", "br", "zstd", "identity" and nothing at all, letter case ignored.
std::optional<Coding> parse_coding(std::string_view name);

struct InflateLimits {
  std::uint64_t max_output = 64 << 20;
  // Bytes out for each byte in, once max_free are out.
  std::uint64_t max_ratio = 200;
  std::uint64_t max_free = 1 << 20;
};

class Inflater {
 public:
  static std::unique_ptr<Inflater> make(Coding coding, InflateLimits limits);
  virtual ~Inflater() = default;

  // Appends to `out`. After an error nothing more is taken.
  virtual Result<void> push(std::string_view chunk, std::string& out) = 0;
  // The end of the input: an error unless the coded text is complete.
  virtual Result<void> finish() = 0;
};

}  // namespace agentsh::dlp
