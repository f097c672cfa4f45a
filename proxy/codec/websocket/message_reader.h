// Reads the messages of one side of a WebSocket connection (RFC 6455, RFC 7692), without I/O:
// frames of any size and at any chunk border, fragments put together, control frames given out
// where they stand between fragments, masks taken off, compression undone.
//
//   reader.feed(chunk);
//   while (reader.next(message) == Step::kMessage) ...
//
// What the RFC says must fail the connection does: the failure says which close code to send.
//
// One object per direction, on one thread. Memory: at most one message of the limit, twice when it
// is compressed, and one frame as it came.
#pragma once

#include "proxy/codec/websocket/deflate.h"
#include "proxy/codec/websocket/frame.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::websocket {

enum class Failure : std::uint8_t {
  kNone,
  kProtocol,  // 1002
  kNotText,   // 1007: text that is not UTF-8, or compressed data that is not.
  kTooLarge,  // 1009
};
std::uint16_t close_code(Failure failure);

// `payload` is valid until the reader's next call.
struct Message {
  Opcode opcode = Opcode::kText;  // Never kContinuation.
  std::string_view payload;       // Of kClose: the reason, without the code.
  std::uint16_t code = 0;         // Of kClose; 0 when there was none.
  bool compressed = false;        // It came so.
};

enum class Step : std::uint8_t { kMessage, kNeedMore, kFailed };

class MessageReader {
 public:
  static constexpr std::size_t kDefaultMaxMessageBytes = 32 << 20;

  MessageReader(Sender sender, std::optional<DeflateParameters> deflate,
                std::size_t max_message_bytes = kDefaultMaxMessageBytes);

  // Precondition: next() was called until it gave no message.
  void feed(std::string_view chunk);
  Step next(Message& message);
  Failure failure() const { return failure_; }

 private:
  Step fail(Failure failure);
  Failure check(const FrameHeader& header) const;
  bool take_payload();
  Step end_frame(Message& message);
  Step end_control(Message& message);
  Step end_message(Message& message);

  std::string buffer_;
  std::string message_;  // Of fragments, unmasked.
  std::string inflated_;
  std::string control_;
  std::optional<Inflater> inflater_;
  FrameHeader frame_;
  std::size_t position_ = 0;  // In buffer_.
  std::size_t max_message_bytes_;
  std::uint64_t frame_taken_ = 0;
  Sender sender_;
  Opcode message_opcode_ = Opcode::kText;
  Failure failure_ = Failure::kNone;
  bool in_frame_ = false;
  bool in_message_ = false;
  bool message_compressed_ = false;
  bool closed_ = false;
};

}  // namespace agentsh::websocket
