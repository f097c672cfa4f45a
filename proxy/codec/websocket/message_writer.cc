#include "proxy/codec/websocket/message_writer.h"

namespace agentsh::websocket {

MessageWriter::MessageWriter(Sender sender, std::optional<DeflateParameters> deflate)
    : sender_(sender) {
  if (!deflate) return;
  if (sender == Sender::kClient) {
    deflater_.emplace(deflate->client_max_window_bits, !deflate->client_no_context_takeover);
  } else {
    deflater_.emplace(deflate->server_max_window_bits, !deflate->server_no_context_takeover);
  }
}

void MessageWriter::write(const Message& message, const MaskKey& mask, std::string& out) {
  FrameHeader header{.opcode = message.opcode};
  payload_.clear();
  if (message.opcode == Opcode::kClose && message.code != 0) {
    payload_ += static_cast<char>(message.code >> 8);
    payload_ += static_cast<char>(message.code & 0xff);
    payload_ += message.payload;
    write_frame(header, payload_, mask, out);
    return;
  }
  const bool compress = message.compressed && deflater_ && !is_control(message.opcode);
  header.compressed = compress && deflater_->deflate(message.payload, payload_);
  write_frame(header, header.compressed ? std::string_view(payload_) : message.payload, mask, out);
}

void MessageWriter::write_frame(FrameHeader header, std::string_view payload, const MaskKey& mask,
                                std::string& out) const {
  header.payload_size = payload.size();
  if (sender_ == Sender::kClient) header.mask = mask;
  write_frame_header(header, out);
  const std::size_t start = out.size();
  out += payload;
  if (header.mask) apply_mask(*header.mask, 0, out.data() + start, payload.size());
}

}  // namespace agentsh::websocket
