// Identifiers of events: "evt-", 16 hexadecimal digits of time in nanoseconds since 1970, "-", 4 of
// the ring that the event went through. Stamps rise strictly within a ring, so an id is unique, and
// ids sort by time.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace agentsh::audit {

class EventId {
 public:
  EventId(std::uint64_t stamp, std::uint32_t ring) {
    text_ = {'e', 'v', 't', '-'};
    hexadecimal(stamp, 4, 16);
    text_[20] = '-';
    hexadecimal(ring, 21, 4);
  }
  std::string_view view() const { return {text_.data(), text_.size()}; }

 private:
  void hexadecimal(std::uint64_t value, std::size_t start, std::size_t digits) {
    for (std::size_t i = digits; i > 0; --i, value >>= 4) {
      text_[start + i - 1] = "0123456789abcdef"[value & 15];
    }
  }
  std::array<char, 25> text_;
};

}  // namespace agentsh::audit
