#include "proxy/codec/http/message_reader.h"

#include "proxy/codec/http/head_parser.h"
#include "proxy/codec/http/limits.h"

namespace agentsh::http {

HeadStep RequestReader::read_head(Bytes input) {
  HeadStep step = scanner_.scan(input);
  if (step.size == 0) return step;
  step.refusal = parse_request_head(as_text(input.first(step.size)), head_);
  if (step.refusal != Refusal::kNone) return {0, step.refusal};
  body_ = BodyReader(head_.framing());
  return step;
}

void ResponseReader::expect(const ResponseContext& context) {
  scanner_.reset();
  context_ = context;
  interim_ = 0;
}

HeadStep ResponseReader::read_head(Bytes input) {
  HeadStep step = scanner_.scan(input);
  if (step.size == 0) return step;
  step.refusal = parse_response_head(as_text(input.first(step.size)), context_, head_);
  if (step.refusal != Refusal::kNone) return {0, step.refusal};
  if (head_.interim()) {
    scanner_.reset();
    if (++interim_ > kMaxInterimResponses) return {0, Refusal::kTooManyInterim};
  }
  body_ = BodyReader(head_.framing());
  return step;
}

}  // namespace agentsh::http
