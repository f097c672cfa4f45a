// Frames of the WebSocket protocol (RFC 6455 §5.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::websocket {

// Who sends: a client masks its frames, a server must not.
enum class Sender : std::uint8_t { kClient, kServer };

enum class Opcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};
inline bool is_control(Opcode opcode) {
  return opcode >= Opcode::kClose;
}

inline constexpr std::size_t kMaxControlPayload = 125;
inline constexpr std::size_t kMaxFrameHeaderBytes = 14;

using MaskKey = std::array<std::uint8_t, 4>;

struct FrameHeader {
  bool final = true;
  bool compressed = false;  // RSV1, as permessage-deflate uses it.
  Opcode opcode = Opcode::kText;
  std::optional<MaskKey> mask = {};
  std::uint64_t payload_size = 0;
};

enum class HeaderStep : std::uint8_t {
  kHeader,
  kNeedMore,
  kMalformed,  // A reserved bit or opcode, a length not in its shortest form, a control frame that
               // is long or a fragment.
};

// Reads the header at the start of `input`; `size` is then what it takes.
HeaderStep read_frame_header(std::string_view input, FrameHeader& header, std::size_t& size);

// Appends the header in its shortest form.
void write_frame_header(const FrameHeader& header, std::string& out);

// Masks or unmasks `data`, which begins `offset` bytes into the payload.
void apply_mask(const MaskKey& key, std::uint64_t offset, char* data, std::size_t size);

// A code that may stand in a close frame (RFC 6455 §7.4, IANA's registry).
bool is_close_code(std::uint16_t code);

}  // namespace agentsh::websocket
