// Reading and writing of what message bodies are made of. Internal to the codec.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "sqlguard/codec/messages.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class BodyReader {
 public:
  explicit BodyReader(Bytes body) : reader_(body), rest_(body) {}

  std::uint8_t u8() { return take(reader_.u8(), 1); }
  std::uint16_t u16() { return take(reader_.u16(), 2); }
  std::uint32_t u32() { return take(reader_.u32(), 4); }
  std::string_view string() {
    const std::string_view text = as_text(rest_);
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      bytes(rest_.size() + 1);
      return {};
    }
    bytes(end + 1);
    return text.substr(0, end);
  }
  Bytes bytes(std::size_t count) {
    const Bytes taken = reader_.bytes(count);
    if (reader_.ok()) rest_ = rest_.subspan(count);
    return taken;
  }
  Bytes rest() { return bytes(rest_.size()); }
  // A length of 32 bits, -1 for NULL.
  WireValue value() {
    const std::uint32_t length = u32();
    if (!reader_.ok() || length == kNull) return std::nullopt;
    return bytes(length);
  }
  // A count of 16 bits and that many elements. Nothing is reserved beyond what is there.
  template <class T, class Read>
  std::vector<T> list(Read read) {
    const std::uint16_t count = u16();
    std::vector<T> items;
    for (std::uint16_t i = 0; i < count && ok(); ++i) items.push_back(read());
    return items;
  }
  std::vector<std::uint16_t> formats() {
    return list<std::uint16_t>([this] { return u16(); });
  }

  bool ok() const { return reader_.ok(); }
  bool at_end() const { return ok() && rest_.empty(); }

 private:
  static constexpr std::uint32_t kNull = UINT32_MAX;

  template <class T>
  T take(T value, std::size_t size) {
    if (reader_.ok()) rest_ = rest_.subspan(size);
    return value;
  }

  ByteReader reader_;
  Bytes rest_;
};

// The message if the body was read to its end.
template <class Variant, class Message>
Result<Variant> whole(const BodyReader& reader, char type, Message message) {
  if (!reader.at_end())
    return fail(fmt::format("a message of type {} is malformed", type), std::errc::bad_message);
  return Variant(std::move(message));
}

// Writes a frame: its length is filled in when the writer of the body is done.
class FrameWriter {
 public:
  explicit FrameWriter(char type) { out_.u8(static_cast<std::uint8_t>(type)); }

  FrameWriter& u8(std::uint8_t value) { return body_.u8(value), *this; }
  FrameWriter& u16(std::uint16_t value) { return body_.u16(value), *this; }
  FrameWriter& u32(std::uint32_t value) { return body_.u32(value), *this; }
  FrameWriter& bytes(Bytes data) { return body_.bytes(data), *this; }
  FrameWriter& string(std::string_view text) {
    body_.text(text);
    body_.u8(0);
    return *this;
  }
  FrameWriter& value(const WireValue& value) {
    if (!value) return u32(UINT32_MAX);
    return u32(static_cast<std::uint32_t>(value->size())).bytes(*value);
  }
  FrameWriter& values(const std::vector<WireValue>& list) {
    u16(static_cast<std::uint16_t>(list.size()));
    for (const WireValue& each : list) value(each);
    return *this;
  }
  FrameWriter& formats(const std::vector<std::uint16_t>& list) {
    u16(static_cast<std::uint16_t>(list.size()));
    for (const std::uint16_t format : list) u16(format);
    return *this;
  }
  FrameWriter& types(const std::vector<std::uint32_t>& list) {
    u16(static_cast<std::uint16_t>(list.size()));
    for (const std::uint32_t type : list) u32(type);
    return *this;
  }
  void finish(ByteWriter& out) {
    out.bytes(out_.view());
    out.u32(static_cast<std::uint32_t>(body_.size() + 4));
    out.bytes(body_.view());
  }

 private:
  ByteWriter out_;
  ByteWriter body_;
};

}  // namespace agentsh::sql
