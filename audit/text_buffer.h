// A growing buffer of bytes with appenders for JSON, for the two places that write every event: the
// renderer and the hash chain. Storage is kept across clear(), so a long-lived buffer stops
// allocating; growth is not zero-filled. Not shared between threads.
//
// base/json_writer.h is the general writer; this one is several times faster because it knows no
// nesting and no indentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace agentsh::audit {

class TextBuffer {
 public:
  std::string_view view() const { return {data_.get(), size_}; }
  std::size_t size() const { return size_; }
  void clear() { size_ = 0; }

  // A string literal, without its final NUL.
  template <std::size_t N>
  void literal(const char (&text)[N]) {
    std::memcpy(room(N - 1), text, N - 1);
    size_ += N - 1;
  }
  void raw(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void raw(char byte) {
    *room(1) = byte;
    ++size_;
  }

  // `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD each. At most
  // `limit` bytes of `text` are used, cut at a character boundary.
  void quoted(std::string_view text, std::size_t limit = SIZE_MAX);

  void number(std::int64_t value);
  void number(std::uint64_t value);
  // The shortest form that reads back as the same value; null for infinities and NaN, which JSON
  // has no words for.
  void number(double value);
  // `value` in lower-case hexadecimal, padded with zeros to `digits`.
  void hexadecimal(std::uint64_t value, int digits);
  // "2026-11-24T06:02:25.123456789Z" (RFC 3339) from nanoseconds since 1970.
  void timestamp(std::int64_t nanoseconds);

 private:
  char* room(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return data_.get() + size_;
  }
  void grow(std::size_t count);
  void escaped(std::string_view text);
  void two_digits(unsigned value);

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace agentsh::audit
