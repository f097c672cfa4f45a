// What a parser gives for a stream that arrives in given pieces.
#pragma once

#include "proxy/codec/sse/parser.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sse {

struct Seen {
  std::string raw;
  std::string data;
  std::string type;
  std::string id;
  std::uint32_t data_lines = 0;
  bool has_id = false;
  bool terminated = true;
  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Parsed {
  std::vector<Seen> events;
  bool too_large = false;
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

inline Parsed parse(const std::vector<std::string_view>& pieces, std::size_t limit = 1 << 20) {
  Parser parser(limit);
  Parsed parsed;
  Event event;
  const auto keep = [&] {
    parsed.events.push_back({std::string(event.raw), std::string(event.data),
                             std::string(event.type), std::string(event.id), event.data_lines,
                             event.has_id, event.terminated});
  };
  for (std::string_view piece : pieces) {
    parser.feed(piece);
    Step step = parser.next(event);
    for (; step == Step::kEvent; step = parser.next(event)) keep();
    parsed.too_large = step == Step::kTooLarge;
  }
  if (parser.finish(event)) keep();
  return parsed;
}

inline std::vector<std::string_view> bytes_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return pieces;
}

}  // namespace agentsh::sse
