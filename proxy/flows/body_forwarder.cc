#include "proxy/flows/body_forwarder.h"

#include <fmt/format.h>

#include <iterator>

namespace agentsh::flows {

void BodyForwarder::inspect_with(HttpInspector& inspector, Inspect inspect, BodyUse use) {
  if (use == BodyUse::kPass) return;
  inspector_ = &inspector;
  inspect_ = inspect;
  use_ = use;
}

std::optional<InspectorRefusal> BodyForwarder::show(Bytes content, bool last) {
  if (inspector_ == nullptr) {
    if (rewrites()) content_ += as_text(content);
    return {};
  }
  if (use_ == BodyUse::kRewrite) return (inspector_->*inspect_)(content, last, content_);
  if (use_ == BodyUse::kSubstitute) return substitute(content, last);
  std::string ignored;
  auto refusal = (inspector_->*inspect_)(content, last, ignored);
  if (rewrites()) content_ += as_text(content);
  return refusal;
}

// The length that was announced has to be the length that is sent.
std::optional<InspectorRefusal> BodyForwarder::substitute(Bytes content, bool last) {
  const std::size_t before = content_.size();
  if (auto refusal = (inspector_->*inspect_)(content, last, content_)) return refusal;
  owed_ += content.size();
  const std::size_t given = content_.size() - before;
  if (given > owed_ || (last && given != owed_)) {
    return InspectorRefusal{
        .status = 502,
        .code = "content_length_changed",
        .rule = {},
        .message = "The content could not be edited without changing its length.",
        .advice = "Report this as an error of the appliance."};
  }
  owed_ -= given;
  return {};
}

void BodyForwarder::frame(bool last) {
  framed_.clear();
  if (framing_ == OutputFraming::kPlain) {
    framed_.swap(content_);
  } else {
    if (!content_.empty()) {
      fmt::format_to(std::back_inserter(framed_), "{:x}\r\n{}\r\n", content_.size(), content_);
    }
    if (last) framed_ += "0\r\n\r\n";
  }
  content_.clear();
}

BodyForwarder::Piece BodyForwarder::process(Bytes input) {
  Piece piece;
  if (inspector_ == nullptr && !rewrites()) {
    const http::BodyStep step = reader_.skim(input);
    piece.consumed = step.consumed;
    piece.out = input.first(step.consumed);
    piece.end = step.end;
    piece.refusal = step.refusal;
    return piece;
  }
  while (!piece.end) {
    const http::BodyStep step = reader_.next(input.subspan(piece.consumed));
    piece.consumed += step.consumed;
    piece.end = step.end;
    piece.refusal = step.refusal;
    if (!step.data.empty() || step.end) piece.inspector_refusal = show(step.data, step.end);
    if (step.stalled() || piece.refused()) break;
  }
  if (rewrites()) {
    frame(piece.end);
    piece.out = as_bytes(framed_);
  } else {
    piece.out = input.first(piece.consumed);
  }
  return piece;
}

BodyForwarder::Piece BodyForwarder::finish_at_close() {
  Piece piece;
  const bool was_done = reader_.done();
  piece.refusal = reader_.finish_at_close();
  piece.end = piece.refusal == http::Refusal::kNone;
  if (!piece.end || was_done) return piece;
  piece.inspector_refusal = show({}, true);
  if (rewrites()) {
    frame(true);
    piece.out = as_bytes(framed_);
  }
  return piece;
}

}  // namespace agentsh::flows
