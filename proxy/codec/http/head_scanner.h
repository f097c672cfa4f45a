// Finds the end of an HTTP/1 head in a buffer that grows, and checks its bytes on the way: line
// ends are CR LF and nothing else, no control bytes, no folding, limits kept. What is wrong is
// refused as soon as it is seen, so a peer cannot keep a connection busy with rubbish.
//
//   HeadScanner scanner;
//   for (;;) {
//     HeadScanner::Step step = scanner.scan(buffer);   // Everything read so far.
//     if (step.size > 0) break;                        // buffer[0, size) is the head.
//     ...                                              // Refused, or read more.
//   }
//
// Each byte is looked at once, however the head is cut into reads.
#pragma once

#include "base/bytes.h"
#include "proxy/codec/http/refusal.h"

namespace agentsh::http {

class HeadScanner {
 public:
  struct Step {
    std::size_t size = 0;  // Of the whole head; 0 while its end has not come.
    Refusal refusal = Refusal::kNone;
  };

  // `input` begins with the bytes of the call before. The answer does not depend on how the bytes
  // were divided into calls.
  Step scan(Bytes input);
  // Starts over with the next message.
  void reset() { *this = HeadScanner(); }

 private:
  Refusal finish_line(Bytes input, std::size_t end);

  std::size_t position_ = 0;
  std::size_t line_start_ = 0;
  std::size_t lines_ = 0;
};

}  // namespace agentsh::http
