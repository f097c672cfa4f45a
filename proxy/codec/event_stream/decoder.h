// Decodes an event stream (message.h), without I/O. A message is given out when it is whole and its
// checksums are right; what is wrong once is never resynchronised: the stream ends there.
//
//   decoder.feed(chunk);
//   while (decoder.next(message) == Step::kMessage) ...
//   if (decoder.mid_message()) the stream was cut
//
// One object per stream, on one thread.
#pragma once

#include "proxy/codec/event_stream/message.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace agentsh::event_stream {

enum class Step : std::uint8_t {
  kMessage,
  kNeedMore,
  // The stream is broken; every later call says so again.
  kBadLength,
  kBadPreludeChecksum,
  kBadChecksum,
  kBadHeaders,
};

class Decoder {
 public:
  // `max_message_bytes`: larger ones are kBadLength.
  explicit Decoder(std::size_t max_message_bytes = kMaxMessageBytes)
      : max_message_bytes_(max_message_bytes) {}

  // Precondition: next() was called until it gave no message.
  void feed(std::string_view chunk);
  Step next(Message& message);

  // Bytes of a message that is not whole are held.
  bool mid_message() const { return position_ < buffer_.size(); }

 private:
  Step decode(Message& message);

  std::string buffer_;
  std::size_t max_message_bytes_;
  std::size_t position_ = 0;
  Step failure_ = Step::kNeedMore;
};

}  // namespace agentsh::event_stream
