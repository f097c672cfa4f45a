#include "proxy/codec/event_stream/encoder.h"

#include <zlib.h>

namespace agentsh::event_stream {
namespace {

void put_u32(std::uint32_t value, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool write_message(std::string_view header_bytes, std::string_view payload, std::string& out) {
  const std::size_t total = kOverheadBytes + header_bytes.size() + payload.size();
  if (header_bytes.size() > kMaxHeaderBytes || total > kMaxMessageBytes) return false;
  const std::size_t start = out.size();
  out.reserve(start + total);
  put_u32(static_cast<std::uint32_t>(total), out);
  put_u32(static_cast<std::uint32_t>(header_bytes.size()), out);
  put_u32(crc32(std::string_view(out).substr(start)), out);
  out.append(header_bytes).append(payload);
  put_u32(crc32(std::string_view(out).substr(start)), out);
  return true;
}

void write_headers(std::span<const Header> headers, std::string& out) {
  for (const Header& header : headers) {
    out += static_cast<char>(header.name.size());
    out += header.name;
    out += static_cast<char>(header.type);
    if (header.type == HeaderType::kBytes || header.type == HeaderType::kString) {
      out += static_cast<char>(header.value.size() >> 8);
      out += static_cast<char>(header.value.size() & 0xff);
    }
    out += header.value;
  }
}

}  // namespace agentsh::event_stream
