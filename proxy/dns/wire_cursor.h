// Reads the fields of a DNS message between two positions, names by pointers into the whole of it.
// Like ByteReader (base/bytes.h), a cursor that ran out of bytes or met a malformed name stays
// failed.
#pragma once

#include "base/bytes.h"
#include "proxy/dns/name.h"

#include <string_view>
#include <utility>

namespace agentsh::dns {

class WireCursor {
 public:
  // Precondition: begin <= end <= message.size().
  WireCursor(Bytes message, std::size_t begin, std::size_t end)
      : message_(message), position_(begin), end_(end) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return ok_ ? end_ - position_ : 0; }
  bool at_end() const { return remaining() == 0; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return number(4); }

  std::string_view text(std::size_t count) {
    if (!ok_ || count > end_ - position_) {
      ok_ = false;
      return {};
    }
    const Bytes taken = message_.subspan(position_, count);
    position_ += count;
    return as_text(taken);
  }
  // A character string: one length byte and as many bytes (RFC 1035 §3.3).
  std::string_view text8() { return text(u8()); }

  Name name() {
    if (!ok_) return {};
    // Only what lies before the end may be read: a name must not run on into the next record.
    auto read = Name::read(message_.first(end_), position_);
    if (!read) ok_ = false;
    return std::move(read).value_or(Name());
  }

 private:
  std::uint32_t number(std::size_t width) {
    std::uint32_t value = 0;
    for (char byte : text(width)) value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
  }

  Bytes message_;
  std::size_t position_;
  std::size_t end_;
  bool ok_ = true;
};

}  // namespace agentsh::dns
