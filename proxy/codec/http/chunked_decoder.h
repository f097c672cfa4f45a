// The chunked transfer coding (RFC 9112 §7.1), strictly: sizes are plain hexadecimal, no white
// space, CR LF everywhere, extensions well-formed and bounded, trailers bounded and harmless.
//
// Chunk-size lines and the last chunk with its trailers are consumed only whole, so nothing of them
// is forwarded before it was checked; they fit kMaxChunkLineBytes and that plus kMaxTrailerBytes.
// The answer does not depend on how the bytes were divided into calls.
#pragma once

#include "base/bytes.h"
#include "proxy/codec/http/head_scanner.h"
#include "proxy/codec/http/refusal.h"

#include <cstdint>
#include <string_view>

namespace agentsh::http {

struct BodyStep {
  std::size_t consumed = 0;  // Raw bytes, framing included.
  Bytes data = {};           // The content among them.
  bool end = false;          // The message is complete.
  Refusal refusal = Refusal::kNone;

  // Nothing more can be done with the input as it is: it ended, is refused, or more is needed.
  bool stalled() const { return end || consumed == 0 || refusal != Refusal::kNone; }
};

class ChunkedDecoder {
 public:
  BodyStep next(Bytes input);

 private:
  enum class State : std::uint8_t { kSize, kData, kDataEnd };

  BodyStep read_size(Bytes input);
  BodyStep read_data(Bytes input);
  BodyStep read_data_end(Bytes input);
  BodyStep read_last(Bytes input, std::size_t line_size);

  HeadScanner trailers_;
  std::uint64_t remaining_ = 0;
  std::size_t extension_bytes_ = 0;
  State state_ = State::kSize;
};

// Lines of a trailer section, "name: value" CR LF each and an empty line at the end. Refused: what
// a head would be refused for, and fields that must not come after the content because they say how
// to frame, route, authenticate or decode it (RFC 9110 §6.5.1).
Refusal check_trailers(std::string_view section);

}  // namespace agentsh::http
