#include "proxy/codec/websocket/message_reader.h"

#include "base/encoding.h"

#include <algorithm>

namespace agentsh::websocket {

std::uint16_t close_code(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return 1000;
    case Failure::kProtocol:
      return 1002;
    case Failure::kNotText:
      return 1007;
    case Failure::kTooLarge:
      break;
  }
  return 1009;
}

MessageReader::MessageReader(Sender sender, std::optional<DeflateParameters> deflate,
                             std::size_t max_message_bytes)
    : max_message_bytes_(max_message_bytes), sender_(sender) {
  if (!deflate) return;
  if (sender == Sender::kClient) {
    inflater_.emplace(deflate->client_max_window_bits, !deflate->client_no_context_takeover);
  } else {
    inflater_.emplace(deflate->server_max_window_bits, !deflate->server_no_context_takeover);
  }
}

void MessageReader::feed(std::string_view chunk) {
  if (failure_ != Failure::kNone || closed_) return;
  buffer_.erase(0, position_);
  position_ = 0;
  buffer_ += chunk;
}

Step MessageReader::fail(Failure failure) {
  failure_ = failure;
  return Step::kFailed;
}

Failure MessageReader::check(const FrameHeader& header) const {
  if (header.mask.has_value() != (sender_ == Sender::kClient)) return Failure::kProtocol;
  if (is_control(header.opcode)) return Failure::kNone;
  // A continuation continues something, and nothing else begins meanwhile (§5.4).
  if ((header.opcode == Opcode::kContinuation) != in_message_) return Failure::kProtocol;
  // RSV1 says "compressed" on the first frame only (RFC 7692 §6).
  if (header.compressed && (!inflater_ || in_message_)) return Failure::kProtocol;
  const std::size_t room = max_message_bytes_ - message_.size();
  return header.payload_size > room ? Failure::kTooLarge : Failure::kNone;
}

Step MessageReader::next(Message& message) {
  if (failure_ != Failure::kNone) return Step::kFailed;
  if (closed_) return Step::kNeedMore;  // Nothing counts after a close frame (§5.5.1).
  while (true) {
    if (!in_frame_) {
      std::size_t size = 0;
      const std::string_view rest = std::string_view(buffer_).substr(position_);
      const HeaderStep step = read_frame_header(rest, frame_, size);
      if (step == HeaderStep::kNeedMore) return Step::kNeedMore;
      if (step == HeaderStep::kMalformed) return fail(Failure::kProtocol);
      if (!in_message_ && !is_control(frame_.opcode)) message_.clear();
      const Failure failure = check(frame_);
      if (failure != Failure::kNone) return fail(failure);
      if (!in_message_ && !is_control(frame_.opcode)) {
        in_message_ = true;
        message_opcode_ = frame_.opcode;
        message_compressed_ = frame_.compressed;
      }
      position_ += size;
      frame_taken_ = 0;
      in_frame_ = true;
      control_.clear();
    }
    if (!take_payload()) return Step::kNeedMore;
    in_frame_ = false;
    const Step step = end_frame(message);
    if (step != Step::kNeedMore) return step;
  }
}

// Moves what there is of the frame's payload to where it belongs; true once it is whole.
bool MessageReader::take_payload() {
  std::string& target = is_control(frame_.opcode) ? control_ : message_;
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(buffer_.size() - position_, frame_.payload_size - frame_taken_));
  const std::size_t start = target.size();
  target.append(buffer_, position_, size);
  if (frame_.mask) apply_mask(*frame_.mask, frame_taken_, target.data() + start, size);
  position_ += size;
  frame_taken_ += size;
  return frame_taken_ == frame_.payload_size;
}

Step MessageReader::end_frame(Message& message) {
  if (is_control(frame_.opcode)) return end_control(message);
  if (!frame_.final) return Step::kNeedMore;
  in_message_ = false;
  return end_message(message);
}

Step MessageReader::end_control(Message& message) {
  message = {.opcode = frame_.opcode, .payload = control_};
  if (frame_.opcode != Opcode::kClose) return Step::kMessage;
  closed_ = true;
  if (control_.empty()) return Step::kMessage;
  if (control_.size() == 1) return fail(Failure::kProtocol);
  message.code = static_cast<std::uint16_t>(static_cast<std::uint8_t>(control_[0]) << 8 |
                                            static_cast<std::uint8_t>(control_[1]));
  message.payload.remove_prefix(2);
  if (!is_close_code(message.code)) return fail(Failure::kProtocol);
  if (!is_utf8(message.payload)) return fail(Failure::kNotText);
  return Step::kMessage;
}

Step MessageReader::end_message(Message& message) {
  message = {.opcode = message_opcode_, .payload = message_, .compressed = message_compressed_};
  if (message_compressed_) {
    switch (inflater_->inflate(message_, max_message_bytes_, inflated_)) {
      case Inflater::Outcome::kDone:
        break;
      case Inflater::Outcome::kMalformed:
        return fail(Failure::kNotText);
      case Inflater::Outcome::kTooLarge:
        return fail(Failure::kTooLarge);
    }
    message.payload = inflated_;
  }
  if (message.opcode == Opcode::kText && !is_utf8(message.payload)) return fail(Failure::kNotText);
  return Step::kMessage;
}

}  // namespace agentsh::websocket
