// Writing server-sent events: a new one, or one that came with other data.
#pragma once

#include "proxy/codec/sse/parser.h"

#include <string>
#include <string_view>

namespace agentsh::sse {

// Appends `event` with `data` instead of its own. Every other line, the spelling of the field and
// the line ends stay as they came. A line break in `data` makes another data line.
// Precondition: event.data_lines > 0.
void write_with_data(const Event& event, std::string_view data, std::string& out);

// Appends a new event. No event line for an empty `type`.
void write_event(std::string_view type, std::string_view data, std::string& out,
                 std::string_view line_end = "\n");

}  // namespace agentsh::sse
