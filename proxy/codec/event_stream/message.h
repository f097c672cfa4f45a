// Messages of the application/vnd.amazon.eventstream encoding (AWS "Event stream encoding", used by
// Bedrock's ConverseStream and InvokeModelWithResponseStream):
//
//   total length u32 | headers length u32 | CRC of these 8 bytes u32 | headers | payload | CRC of
//   all before u32
//
// Numbers are big-endian, the CRCs are CRC-32 (IEEE 802.3). A header is name length u8, name, type
// u8, value.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace agentsh::event_stream {

inline constexpr std::size_t kPreludeBytes = 12;
inline constexpr std::size_t kOverheadBytes = kPreludeBytes + 4;
inline constexpr std::size_t kMaxHeaderBytes = 128 << 10;  // By the specification.
inline constexpr std::size_t kMaxMessageBytes = (16 << 20) + kMaxHeaderBytes + kOverheadBytes;

enum class HeaderType : std::uint8_t {
  kTrue = 0,
  kFalse = 1,
  kByte = 2,
  kShort = 3,
  kInteger = 4,
  kLong = 5,
  kBytes = 6,
  kString = 7,
  kTimestamp = 8,
  kUuid = 9,
};

// Views into the message.
struct Header {
  std::string_view name;
  HeaderType type = HeaderType::kString;
  std::string_view value;  // The bytes of the value, without the length of kBytes and kString.
  friend bool operator==(const Header&, const Header&) = default;
};

// Views into the decoder's buffer, valid until its next call.
struct Message {
  std::string_view raw;           // The whole message.
  std::string_view header_bytes;  // As they came, for writing the message with another payload.
  std::vector<Header> headers;
  std::string_view payload;

  // The value of a string header, for example ":event-type"; empty when there is none.
  std::string_view text(std::string_view name) const {
    for (const Header& header : headers) {
      if (header.name == name && header.type == HeaderType::kString) return header.value;
    }
    return {};
  }
};

}  // namespace agentsh::event_stream
