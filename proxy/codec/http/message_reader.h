// One direction of an HTTP/1 connection, message by message. The caller keeps the bytes and passes
// what was not consumed again, with more behind it; so pipelined messages, content that came with
// its head and what follows a 101 need no special handling: they are what is left in the buffer.
//
//   RequestReader reader;
//   HeadStep step = reader.read_head(buffer);          // size > 0: reader.head() is there
//   ... consume step.size bytes ...
//   BodyStep body = reader.body().next(buffer);        // until body.end
//   reader.next_message();
#pragma once

#include "base/bytes.h"
#include "proxy/codec/http/body_reader.h"
#include "proxy/codec/http/head.h"
#include "proxy/codec/http/head_scanner.h"

namespace agentsh::http {

using HeadStep = HeadScanner::Step;

class RequestReader {
 public:
  // head() refers to the input until the next call.
  HeadStep read_head(Bytes input);
  const RequestHead& head() const { return head_; }
  BodyReader& body() { return body_; }
  void next_message() { scanner_.reset(); }

 private:
  HeadScanner scanner_;
  RequestHead head_;
  BodyReader body_;
};

class ResponseReader {
 public:
  // Before the first head of a response.
  void expect(const ResponseContext& context);
  // An interim response (head().interim()) is followed by another head: call read_head() again.
  HeadStep read_head(Bytes input);
  const ResponseHead& head() const { return head_; }
  BodyReader& body() { return body_; }

 private:
  HeadScanner scanner_;
  ResponseHead head_;
  BodyReader body_;
  ResponseContext context_;
  unsigned interim_ = 0;
};

}  // namespace agentsh::http
