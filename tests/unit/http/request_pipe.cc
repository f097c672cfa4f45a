#include "tests/unit/http/request_pipe.h"

#include <algorithm>

namespace agentsh::http {
namespace {

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

void RequestPipe::feed(std::string_view bytes) {
  buffer_.append(bytes);
  while (refusal_ == Refusal::kNone) {
    const std::size_t used = step();
    if (used == 0) break;
    buffer_.erase(0, used);
  }
}

std::size_t RequestPipe::step() {
  if (!in_body_) {
    if (buffer_.empty()) return 0;
    const HeadStep head = reader_.read_head(as_bytes(buffer_));
    refusal_ = head.refusal;
    if (head.size == 0) return 0;
    const RequestHead& request = reader_.head();
    messages_.push_back({.start = std::string(request.method()) + " " + std::string(request.path()),
                         .host = lower_case(request.authority().host)});
    // A tunnel is opened by the proxy itself; nothing of the request goes on.
    if (!request.is_connect()) write_request_head(request, {}, output_);
    in_body_ = !reader_.body().done();
    if (!in_body_) {
      messages_.back().complete = true;
      reader_.next_message();
    }
    return head.size;
  }
  const BodyStep body = reader_.body().next(as_bytes(buffer_));
  refusal_ = body.refusal;
  if (refusal_ != Refusal::kNone) return 0;
  messages_.back().content += as_text(body.data);
  output_.append(buffer_, 0, body.consumed);
  if (body.end) {
    messages_.back().complete = true;
    in_body_ = false;
    reader_.next_message();
  }
  return body.consumed;
}

std::size_t RequestPipe::complete_messages() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      messages_, [](const SeenMessage& message) { return message.complete; }));
}

void ResponsePipe::feed(std::string_view bytes) {
  buffer_.append(bytes);
  while (refusal_ == Refusal::kNone && !done_) {
    const std::size_t used = step();
    if (used == 0) break;
    buffer_.erase(0, used);
  }
}

std::size_t ResponsePipe::step() {
  if (!in_body_) {
    const HeadStep head = reader_.read_head(as_bytes(buffer_));
    refusal_ = head.refusal;
    if (head.size == 0) return 0;
    const ResponseHead& response = reader_.head();
    messages_.push_back({.start = std::to_string(response.status())});
    write_response_head(response, {}, output_);
    if (response.interim()) {
      messages_.back().complete = true;
      return head.size;
    }
    in_body_ = !reader_.body().done();
    done_ = messages_.back().complete = !in_body_;
    return head.size;
  }
  const BodyStep body = reader_.body().next(as_bytes(buffer_));
  refusal_ = body.refusal;
  if (refusal_ != Refusal::kNone) return 0;
  messages_.back().content += as_text(body.data);
  output_.append(buffer_, 0, body.consumed);
  done_ = messages_.back().complete = body.end;
  return body.consumed;
}

void ResponsePipe::close() {
  if (refusal_ != Refusal::kNone || done_) return;
  if (!in_body_) {
    refusal_ = Refusal::kCutShort;
    return;
  }
  refusal_ = reader_.body().finish_at_close();
  done_ = messages_.back().complete = refusal_ == Refusal::kNone;
}

}  // namespace agentsh::http
