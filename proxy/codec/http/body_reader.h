// Follows the content of one message through a buffer (RFC 9112 §6, §7): where it ends, which raw
// bytes belong to it and which of them are content.
//
// Raw bytes are what is forwarded when nobody changes the content, framing and all; `data` is the
// content itself, for whoever inspects it. Both are views of the input.
//
//   BodyReader body(head.framing());
//   for (BodyStep step = body.next(input); !step.stalled(); step = body.next(input)) {
//     inspect(step.data); input = input.subspan(step.consumed); ...
//   }
#pragma once

#include "base/bytes.h"
#include "proxy/codec/http/chunked_decoder.h"
#include "proxy/codec/http/head.h"

namespace agentsh::http {

class BodyReader {
 public:
  BodyReader() = default;  // Of a message without content: done.
  explicit BodyReader(const Framing& framing);

  // The next piece. `input` starts with the first byte that was not consumed yet.
  BodyStep next(Bytes input);
  // The same for all pieces that `input` holds, without looking at the content: how many raw bytes
  // belong to the message. `data` is empty.
  BodyStep skim(Bytes input);

  bool done() const { return done_; }
  // The peer sent its last byte. kNone when that completes the message.
  Refusal finish_at_close();

 private:
  ChunkedDecoder chunks_;
  std::uint64_t remaining_ = 0;
  BodyKind kind_ = BodyKind::kNone;
  bool done_ = true;
};

}  // namespace agentsh::http
