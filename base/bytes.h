// Big-endian cursors with checked reads and writes, for wire formats (DNS, TLS, Postgres, netlink
// is host order and does not use them). A reader that runs out of bytes stays failed: check ok()
// once at the end of a group of reads.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh {

using Bytes = std::span<const std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  explicit ByteReader(Bytes data) : data_(data) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return ok_ ? data_.size() - position_ : 0; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u24() { return static_cast<std::uint32_t>(number(3)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }

  // The next `count` bytes, or an empty span and a failed reader.
  Bytes bytes(std::size_t count) {
    if (!ok_ || count > data_.size() - position_) {
      ok_ = false;
      return {};
    }
    Bytes taken = data_.subspan(position_, count);
    position_ += count;
    return taken;
  }
  void skip(std::size_t count) { bytes(count); }

  // A vector with a length prefix of 1, 2 or 3 bytes (TLS style).
  Bytes vector8() { return bytes(u8()); }
  Bytes vector16() { return bytes(u16()); }
  Bytes vector24() { return bytes(u24()); }

 private:
  std::uint64_t number(std::size_t width) {
    std::uint64_t value = 0;
    for (std::uint8_t byte : bytes(width)) value = value << 8 | byte;
    return value;
  }

  Bytes data_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u24(std::uint32_t value) { number(value, 3); }
  void u32(std::uint32_t value) { number(value, 4); }
  void bytes(Bytes data) { out_.insert(out_.end(), data.begin(), data.end()); }
  void text(std::string_view data) { bytes(as_bytes(data)); }

  std::size_t size() const { return out_.size(); }
  // Overwrites two bytes written before, for lengths known afterwards. Precondition: offset + 2 <=
  // size().
  void patch_u16(std::size_t offset, std::uint16_t value) {
    out_[offset] = static_cast<std::uint8_t>(value >> 8);
    out_[offset + 1] = static_cast<std::uint8_t>(value);
  }

  Bytes view() const { return out_; }
  std::vector<std::uint8_t> take() { return std::move(out_); }

 private:
  void number(std::uint64_t value, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) {
      out_.push_back(static_cast<std::uint8_t>(value >> shift));
    }
  }
  std::vector<std::uint8_t> out_;
};

}  // namespace agentsh
