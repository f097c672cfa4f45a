#include "proxy/codec/sse/writer.h"

#include <algorithm>

namespace agentsh::sse {
namespace {

// One blank after the colon belongs to neither name nor value: a value that begins with one needs
// it.
std::string_view blank_between(std::string_view before, std::string_view value) {
  return before.ends_with(':') && value.starts_with(' ') ? " " : "";
}

// Appends `prefix` + line + `end` for each line of `data`.
void write_lines(std::string_view prefix, std::string_view data, std::string_view end,
                 std::string& out) {
  while (true) {
    const std::size_t size = data.find_first_of("\r\n");
    const std::string_view line = data.substr(0, size);
    out.append(prefix).append(blank_between(prefix, line)).append(line).append(end);
    if (size == std::string_view::npos) return;
    const bool pair = data.substr(size).starts_with("\r\n");
    data.remove_prefix(size + (pair ? 2 : 1));
  }
}

std::size_t line_end_size(std::string_view text) {
  if (text.empty()) return 0;
  return text.starts_with("\r\n") ? 2 : 1;
}

// What stands before the value of a data line; empty when the line is another one.
std::string_view data_prefix(std::string_view line) {
  if (line == "data") return line;
  if (line.starts_with("data: ")) return line.substr(0, 6);
  return line.starts_with("data:") ? line.substr(0, 5) : std::string_view();
}

// Is the event's only data line one with a colon, so that its value can be exchanged in place?
bool has_plain_value(const Event& event) {
  return event.data_lines == 1 && event.data.data()[-1] != 'a';  // "data" alone is a line too.
}

}  // namespace

void write_with_data(const Event& event, std::string_view data, std::string& out) {
  if (has_plain_value(event) && data.find_first_of("\r\n") == std::string_view::npos) {
    const auto before = static_cast<std::size_t>(event.data.data() - event.raw.data());
    const std::string_view start = event.raw.substr(0, before);
    out.append(start).append(blank_between(start, data)).append(data);
    out.append(event.raw.substr(before + event.data.size()));
    return;
  }
  bool written = false;
  std::string_view rest = event.raw.substr(event.mark_size);
  out += event.raw.substr(0, event.mark_size);
  while (!rest.empty()) {
    const std::size_t size = std::min(rest.find_first_of("\r\n"), rest.size());
    const std::size_t end_size = line_end_size(rest.substr(size));
    const std::string_view line = rest.substr(0, size);
    const std::string_view prefix = data_prefix(line);
    if (prefix.empty()) {
      out += rest.substr(0, size + end_size);
    } else if (!written) {
      const std::string_view end = end_size == 0 ? "\n" : rest.substr(size, end_size);
      write_lines(prefix == "data" ? "data:" : prefix, data, end, out);
      written = true;
    }
    rest.remove_prefix(size + end_size);
  }
}

void write_event(std::string_view type, std::string_view data, std::string& out,
                 std::string_view line_end) {
  if (!type.empty()) out.append("event: ").append(type).append(line_end);
  write_lines("data: ", data, line_end, out);
  out += line_end;
}

}  // namespace agentsh::sse
