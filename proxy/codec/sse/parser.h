// Server-sent events (WHATWG HTML, "Server-sent events", §9.2.5 and §9.2.6), without I/O: bytes in,
// events out, each with the exact bytes that it came in, so that an event which nobody changes is
// forwarded as it is.
//
//   parser.feed(chunk);
//   for (sse::Event event; parser.next(event) == sse::Step::kEvent;) out += event.raw;
//   at the end of the stream: if (parser.finish(event)) ...
//
// The `raw` of all events, put together, is the stream. Lines end in LF, CR or CR LF; which bytes
// belong to an event does not depend on how they were divided into chunks. An event is given out
// with its last byte, with one exception: in a stream of CR LF lines a CR at the end of a chunk
// waits for its LF.
//
// One object per stream, on one thread. Nothing is allocated once the buffer has grown to the
// largest event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace agentsh::sse {

// A block of lines up to and with the empty line that ends it. Views are valid until the next call
// of the parser.
struct Event {
  std::string_view raw;
  // The values of the data lines, joined by LF. With `data_lines` 1 a view into `raw`.
  std::string_view data;
  std::string_view type;         // The last event line's; empty means "message".
  std::string_view id;           // The last id line's; lines with a NUL are ignored.
  std::uint32_t data_lines = 0;  // 0: a client dispatches nothing (comments, keep-alives, ids).
  std::uint32_t mark_size = 0;   // Of the byte order mark that `raw` begins with.
  bool has_id = false;
  bool terminated = true;  // False for what the stream broke off in.
};

enum class Step : std::uint8_t {
  kEvent,
  kNeedMore,
  kTooLarge,  // More than the limit without an end. The parser gives out no more.
};

class Parser {
 public:
  static constexpr std::size_t kDefaultMaxEventBytes = 16 << 20;
  explicit Parser(std::size_t max_event_bytes = kDefaultMaxEventBytes)
      : max_event_bytes_(max_event_bytes) {}

  // Precondition: next() was called until it gave no event.
  void feed(std::string_view chunk);
  Step next(Event& event);
  // The stream has ended: what is left as an event that was not terminated. A client ignores it
  // by the standard, but some do not. False when nothing is left.
  bool finish(Event& event);

 private:
  enum class LineEnd : std::uint8_t { kNone, kLf, kCr, kCrLf };
  struct Line {
    std::size_t size = 0;  // Without its end.
    LineEnd end = LineEnd::kNone;
  };

  Line find_line();
  void take_line(std::size_t start, std::size_t size);
  void take_data(std::string_view value);
  Step give(Event& event, std::size_t end);

  std::string buffer_;
  std::string joined_;  // Data of several lines.
  std::size_t max_event_bytes_;
  std::size_t event_start_ = 0;  // In buffer_, as are the next three.
  std::size_t line_start_ = 0;
  std::size_t scanned_ = 0;  // No line end from line_start_ to here.
  LineEnd last_end_ = LineEnd::kNone;
  bool at_stream_start_ = true;
  bool failed_ = false;

  // Of the event being read: offsets in buffer_.
  struct Span {
    std::size_t start = 0;
    std::size_t size = 0;
  };
  Span data_;
  Span type_;
  Span id_;
  std::uint32_t data_lines_ = 0;
  std::uint32_t mark_size_ = 0;
  bool has_id_ = false;
};

}  // namespace agentsh::sse
