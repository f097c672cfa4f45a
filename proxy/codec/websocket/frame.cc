#include "proxy/codec/websocket/frame.h"

#include <cstring>

namespace agentsh::websocket {
namespace {

std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

void put_number(std::uint64_t value, int width, std::string& out) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

bool is_known(std::uint8_t opcode) {
  return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

// §5.2: "the minimal number of bytes MUST be used", and the most significant bit of 8 must be 0.
bool is_shortest(std::size_t width, std::uint64_t length) {
  if (width == 2) return length > 125;
  if (width == 8) return length > 0xffff && length >> 63 == 0;
  return true;
}

}  // namespace

HeaderStep read_frame_header(std::string_view input, FrameHeader& header, std::size_t& size) {
  if (input.size() < 2) return HeaderStep::kNeedMore;
  const auto first = static_cast<std::uint8_t>(input[0]);
  const auto second = static_cast<std::uint8_t>(input[1]);
  if ((first & 0x30) != 0 || !is_known(first & 0x0f)) return HeaderStep::kMalformed;
  header = {.final = (first & 0x80) != 0,
            .compressed = (first & 0x40) != 0,
            .opcode = static_cast<Opcode>(first & 0x0f)};
  const std::uint8_t short_length = second & 0x7f;
  const std::size_t width = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  if (is_control(header.opcode) && (!header.final || header.compressed || width != 0)) {
    return HeaderStep::kMalformed;
  }
  const bool masked = (second & 0x80) != 0;
  size = 2 + width + (masked ? 4 : 0);
  if (input.size() < size) return HeaderStep::kNeedMore;
  header.payload_size = width == 0 ? short_length : read_number(input.substr(2, width));
  if (!is_shortest(width, header.payload_size)) return HeaderStep::kMalformed;
  if (masked) {
    header.mask.emplace();
    std::memcpy(header.mask->data(), input.data() + 2 + width, 4);
  }
  return HeaderStep::kHeader;
}

void write_frame_header(const FrameHeader& header, std::string& out) {
  out += static_cast<char>((header.final ? 0x80 : 0) | (header.compressed ? 0x40 : 0) |
                           static_cast<int>(header.opcode));
  const int mask_bit = header.mask ? 0x80 : 0;
  if (header.payload_size <= 125) {
    out += static_cast<char>(mask_bit | static_cast<int>(header.payload_size));
  } else if (header.payload_size <= 0xffff) {
    out += static_cast<char>(mask_bit | 126);
    put_number(header.payload_size, 2, out);
  } else {
    out += static_cast<char>(mask_bit | 127);
    put_number(header.payload_size, 8, out);
  }
  if (header.mask) out.append(reinterpret_cast<const char*>(header.mask->data()), 4);
}

void apply_mask(const MaskKey& key, std::uint64_t offset, char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    data[i] = static_cast<char>(data[i] ^ static_cast<char>(key[(offset + i) & 3]));
  }
}

bool is_close_code(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace agentsh::websocket
