// Frames of the PostgreSQL protocol after startup (versions 3.0 and 3.2; PostgreSQL 18
// documentation, 55.7): one byte of type, a length that counts itself and the body, the body.
//
// FrameWalker goes through a stream by headers alone: bodies are neither looked at nor copied, so
// what only passes through costs a few bytes of reading a message.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace agentsh::sql {

enum class Direction : std::uint8_t { kFrontend, kBackend };

struct FrameHeader {
  static constexpr std::size_t kSize = 5;
  char type;
  std::uint32_t body;  // Bytes after the header.

  std::size_t size() const { return kSize + body; }
};

struct FrameLimits {
  std::uint32_t small = 10'000;          // What the protocol keeps short, as the server does.
  std::uint32_t large = (1u << 30) - 1;  // Statements, parameters, rows, COPY data.
};

// Is there a message of this type in this direction?
bool is_message_type(char type, Direction direction);

// The header at the front of `bytes`: nothing while fewer than five bytes are there. Fails on a
// type that the direction does not have and on a length below 4 or above the type's limit.
Result<std::optional<FrameHeader>> read_frame_header(Bytes bytes, Direction direction,
                                                     FrameLimits limits = {});

// A whole frame at the front of `bytes`; nothing while it is incomplete.
struct Frame {
  char type;
  Bytes body;
  std::size_t size;  // With the header.
};
Result<std::optional<Frame>> read_frame(Bytes bytes, Direction direction, FrameLimits limits = {});

// Walks through a stream that arrives in pieces of any size. For each frame, `begin(header,
// offset)` is called once its header is complete, `offset` being where in this piece the frame's
// first byte is (negative when it came with an earlier piece); a frame's body may go on in later
// pieces. `begin` returns false to stop before the frame.
class FrameWalker {
 public:
  explicit FrameWalker(Direction direction, FrameLimits limits = {})
      : direction_(direction), limits_(limits) {}

  // How many bytes of `piece` were gone through: all, unless `begin` stopped. A frame that `begin`
  // stopped at is given again with the next call, which is to start at its header's first byte or,
  // if that was in an earlier piece, at the same place.
  template <class Begin>
  Result<std::size_t> walk(Bytes piece, Begin&& begin) {
    std::size_t at = 0;
    while (true) {
      const std::size_t passed = std::min<std::size_t>(left_, piece.size() - at);
      at += passed;
      left_ -= static_cast<std::uint32_t>(passed);
      if (at == piece.size()) return at;
      const std::size_t before = partial_;
      std::size_t taken = 0;
      while (partial_ < FrameHeader::kSize && at + taken < piece.size())
        header_[partial_++] = piece[at + taken++];
      if (partial_ < FrameHeader::kSize) return piece.size();
      const auto header = read_frame_header(header_, direction_, limits_);
      if (!header) return std::unexpected(header.error());
      const auto offset = static_cast<std::ptrdiff_t>(at) - static_cast<std::ptrdiff_t>(before);
      if (!begin(**header, offset)) {
        partial_ = before;
        return at;
      }
      at += taken;
      partial_ = 0;
      left_ = (*header)->body;
    }
  }

  // Between frames, with nothing of the next one?
  bool at_boundary() const { return left_ == 0 && partial_ == 0; }
  // Bytes of the current body that are still to come.
  std::uint32_t body_left() const { return left_; }

 private:
  Direction direction_;
  FrameLimits limits_;
  std::uint32_t left_ = 0;
  std::size_t partial_ = 0;
  std::array<std::uint8_t, FrameHeader::kSize> header_{};
};

}  // namespace agentsh::sql
