#include "proxy/codec/http/body_reader.h"

#include <algorithm>

namespace agentsh::http {

BodyReader::BodyReader(const Framing& framing)
    : remaining_(framing.length),
      kind_(framing.kind),
      done_(framing.kind == BodyKind::kNone ||
            (framing.kind == BodyKind::kLength && framing.length == 0)) {}

BodyStep BodyReader::next(Bytes input) {
  if (done_) return {.end = true};
  switch (kind_) {
    case BodyKind::kNone:
      break;
    case BodyKind::kUntilClose:
      return {.consumed = input.size(), .data = input};
    case BodyKind::kLength: {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
      remaining_ -= size;
      done_ = remaining_ == 0;
      return {.consumed = size, .data = input.first(size), .end = done_};
    }
    case BodyKind::kChunked: {
      const BodyStep step = chunks_.next(input);
      done_ = step.end;
      return step;
    }
  }
  return {.end = true};
}

BodyStep BodyReader::skim(Bytes input) {
  BodyStep all{.end = done_};
  while (!all.end && all.consumed < input.size()) {
    const BodyStep step = next(input.subspan(all.consumed));
    all.consumed += step.consumed;
    all.end = step.end;
    all.refusal = step.refusal;
    if (step.stalled()) break;
  }
  return all;
}

Refusal BodyReader::finish_at_close() {
  if (kind_ == BodyKind::kUntilClose) done_ = true;
  return done_ ? Refusal::kNone : Refusal::kCutShort;
}

}  // namespace agentsh::http
