// Event streams: events do not depend on how the bytes arrive, their raw bytes are the stream, and
// an event that is written with other data is read back as that.
#include "proxy/codec/sse/writer.h"
#include "tests/fuzz/http/cuts.h"
#include "tests/unit/sse/pieces.h"

#include <cstdlib>

namespace agentsh::sse {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// What `text`, written for `event`, is read as. A byte order mark is one only where a stream
// begins. Where lines end in different ways a last LF may stand alone: an empty line more.
Seen parsed_alone(const Event& event, std::string_view text) {
  const Parsed parsed = event.mark_size > 0 ? parse({text}) : parse({"\n", text});
  const std::size_t at = event.mark_size > 0 ? 0 : 1;
  require(parsed.events.size() > at);
  for (std::size_t i = at + 1; i < parsed.events.size(); ++i) require(parsed.events[i].raw == "\n");
  return parsed.events[at];
}

void rewrite(std::string_view text) {
  Parser parser;
  Event event;
  parser.feed(text);
  while (parser.next(event) == Step::kEvent) {
    if (event.data_lines == 0) continue;
    std::string same;
    write_with_data(event, event.data, same);
    std::string other;
    write_with_data(event, "x\ny", other);
    require(parsed_alone(event, other).data == "x\ny");
    require(parsed_alone(event, other).type == event.type);
    require(parsed_alone(event, same).data == event.data);
  }
}

void run(std::string_view text, std::uint32_t seed) {
  for (std::size_t limit : {std::size_t{1} << 20, std::size_t{40}}) {
    const Parsed whole = parse({text}, limit);
    require(whole == parse(agentsh::http::cut(text, seed), limit));
    std::string raw;
    for (const Seen& event : whole.events) raw += event.raw;
    require(whole.too_large || raw == text);
  }
  rewrite(text);
}

}  // namespace
}  // namespace agentsh::sse

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  agentsh::sse::run(text, data[0]);
  return 0;
}
