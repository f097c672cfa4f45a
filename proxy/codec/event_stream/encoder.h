// Encodes event stream messages (message.h).
#pragma once

#include "proxy/codec/event_stream/message.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace agentsh::event_stream {

// Appends a message. `header_bytes` is Message::header_bytes or what write_headers() made. False,
// and nothing is appended, when it would be larger than the specification allows.
[[nodiscard]] bool write_message(std::string_view header_bytes, std::string_view payload,
                                 std::string& out);

// Appends the encoding of `headers`. Precondition: names have 1 to 255 bytes, values of kBytes and
// kString at most 65535, those of other types the size that the type has.
void write_headers(std::span<const Header> headers, std::string& out);

// CRC-32 as in IEEE 802.3.
std::uint32_t crc32(std::string_view bytes);

}  // namespace agentsh::event_stream
