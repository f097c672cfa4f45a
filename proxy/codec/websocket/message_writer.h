// Writes messages to one side of a WebSocket connection (RFC 6455, RFC 7692): each in one frame,
// compressed where that was negotiated and asked for, masked when we are the client.
//
// One object per direction, on one thread.
#pragma once

#include "proxy/codec/websocket/message_reader.h"

#include <optional>
#include <string>

namespace agentsh::websocket {

class MessageWriter {
 public:
  // `sender` is who we are to the receiver.
  MessageWriter(Sender sender, std::optional<DeflateParameters> deflate);

  // Appends the message. `mask` is fresh random bytes (§5.3), used when we are the client.
  // `message.compressed` asks for compression; it is ignored where none was negotiated.
  // Precondition: a control message fits kMaxControlPayload (a close with its code).
  void write(const Message& message, const MaskKey& mask, std::string& out);

 private:
  void write_frame(FrameHeader header, std::string_view payload, const MaskKey& mask,
                   std::string& out) const;

  std::optional<Deflater> deflater_;
  std::string payload_;
  Sender sender_;
};

}  // namespace agentsh::websocket
