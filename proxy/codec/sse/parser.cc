#include "proxy/codec/sse/parser.h"

#include <algorithm>
#include <cstring>

namespace agentsh::sse {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The first CR or LF in `text`, or its size. Data lines are long and have neither: two passes of
// memchr beat one loop.
std::size_t find_line_end(std::string_view text) {
  const void* lf = std::memchr(text.data(), '\n', text.size());
  const std::size_t size =
      lf == nullptr ? text.size()
                    : static_cast<std::size_t>(static_cast<const char*>(lf) - text.data());
  const void* cr = std::memchr(text.data(), '\r', size);
  return cr == nullptr ? size
                       : static_cast<std::size_t>(static_cast<const char*>(cr) - text.data());
}

}  // namespace

void Parser::feed(std::string_view chunk) {
  // What was given out is not needed any more; what is left of a part of an event moves to the
  // front, which happens once per chunk and is short.
  if (event_start_ > 0) {
    buffer_.erase(0, event_start_);
    line_start_ -= event_start_;
    scanned_ -= event_start_;
    data_.start -= std::min(data_.start, event_start_);
    type_.start -= std::min(type_.start, event_start_);
    id_.start -= std::min(id_.start, event_start_);
    event_start_ = 0;
  }
  if (!failed_) buffer_ += chunk;
}

// The line that starts at line_start_; end kNone when its end has not come.
Parser::Line Parser::find_line() {
  const std::string_view rest = std::string_view(buffer_).substr(scanned_);
  const std::size_t found = scanned_ + find_line_end(rest);
  scanned_ = found;
  if (found == buffer_.size()) return {};
  const std::size_t size = found - line_start_;
  if (buffer_[found] == '\n') return {size, LineEnd::kLf};
  if (found + 1 < buffer_.size()) {
    if (buffer_[found + 1] != '\n') return {size, LineEnd::kCr};
    // An empty line after one that ended in a bare CR ends in the CR: whether an LF follows would
    // have to be waited for, and by the standard nobody has to.
    const bool bare = size == 0 && last_end_ == LineEnd::kCr;
    return {size, bare ? LineEnd::kCr : LineEnd::kCrLf};
  }
  // CR is the last byte. Within an event it can wait: the event is not complete anyway.
  const bool empty_after_bare_cr = size == 0 && last_end_ == LineEnd::kCr;
  return empty_after_bare_cr ? Line{size, LineEnd::kCr} : Line{};
}

Step Parser::next(Event& event) {
  if (failed_) return Step::kTooLarge;
  if (at_stream_start_) {
    const std::string_view text = buffer_;
    if (text.size() < kByteOrderMark.size() && kByteOrderMark.starts_with(text)) {
      return Step::kNeedMore;
    }
    if (text.starts_with(kByteOrderMark)) mark_size_ = kByteOrderMark.size();
    line_start_ = scanned_ = mark_size_;
    at_stream_start_ = false;
  }
  while (true) {
    const Line line = find_line();
    if (line.end == LineEnd::kNone) break;
    const std::size_t start = line_start_;
    line_start_ += line.size + (line.end == LineEnd::kCrLf ? 2 : 1);
    scanned_ = line_start_;
    last_end_ = line.end;
    if (line_start_ - event_start_ > max_event_bytes_) break;
    if (line.size == 0) return give(event, line_start_);
    take_line(start, line.size);
  }
  if (buffer_.size() - event_start_ <= max_event_bytes_) return Step::kNeedMore;
  failed_ = true;
  return Step::kTooLarge;
}

bool Parser::finish(Event& event) {
  if (failed_ || event_start_ == buffer_.size()) return false;
  std::string_view line = std::string_view(buffer_).substr(line_start_);
  const bool ended = line.ends_with('\r');  // A CR that waited for its LF.
  if (ended) line.remove_suffix(1);
  const bool terminated = ended && line.empty();
  if (!line.empty()) take_line(line_start_, line.size());
  give(event, buffer_.size());
  event.terminated = terminated;
  line_start_ = scanned_ = event_start_;
  return true;
}

// "name: value", "name:value", "name" or ":comment"; one blank after the colon belongs to neither.
void Parser::take_line(std::size_t start, std::size_t size) {
  const std::string_view line = std::string_view(buffer_).substr(start, size);
  const std::size_t colon = std::min(line.find(':'), size);
  const std::string_view name = line.substr(0, colon);
  std::size_t value_at = std::min(colon + 1, size);
  if (value_at < size && line[value_at] == ' ') ++value_at;
  const Span value{start + value_at, size - value_at};
  if (name == "data") {
    if (data_lines_ == 1) joined_.assign(buffer_, data_.start, data_.size);
    if (data_lines_ >= 1) joined_.append(1, '\n').append(buffer_, value.start, value.size);
    if (data_lines_ == 0) data_ = value;
    ++data_lines_;
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id") {
    if (line.find('\0') != std::string_view::npos) return;
    id_ = value;
    has_id_ = true;
  }
}

Step Parser::give(Event& event, std::size_t end) {
  const std::string_view text = buffer_;
  const auto view = [text](Span span) { return text.substr(span.start, span.size); };
  event.raw = text.substr(event_start_, end - event_start_);
  event.data = data_lines_ > 1 ? std::string_view(joined_) : view(data_);
  event.type = view(type_);
  event.id = view(id_);
  event.data_lines = data_lines_;
  event.has_id = has_id_;
  event.mark_size = mark_size_;
  event.terminated = true;
  mark_size_ = 0;
  event_start_ = end;
  data_ = type_ = id_ = {};
  data_lines_ = 0;
  has_id_ = false;
  return Step::kEvent;
}

}  // namespace agentsh::sse
