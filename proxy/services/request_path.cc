#include "proxy/services/request_path.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace agentsh::services {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

Result<std::string> decoded(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      const int byte = percent_escape(path.substr(i));
      if (byte < 0) return fail("a % that escapes nothing");
      c = static_cast<char>(byte);
      i += 2;
      if (c == '/') return fail("an encoded slash");
    }
    if (c == '\\') return fail("a backslash");
    if (is_control(c)) return fail("a control character");
    out += c;
  }
  return out;
}

// A server that decodes twice would see another path.
bool hides_an_escape(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int byte = percent_escape(path.substr(i));
    if (byte == '/' || byte == '\\' || byte == '.' || byte == '%' || byte == 0) return true;
  }
  return false;
}

Result<> check_segments(std::string_view path) {
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") return fail("a segment . or ..");
    if (name.empty() && (end < path.size() || !segment.empty())) return fail("an empty segment");
    begin = end + 1;
  }
  return {};
}

}  // namespace

Result<std::string> judged_path(std::string_view target) {
  if (!target.starts_with('/')) return fail("it does not begin with a slash");
  if (target.find('#') != std::string_view::npos) return fail("a fragment");
  auto path = decoded(target.substr(0, target.find('?')));
  if (!path) return path;
  if (hides_an_escape(*path)) return fail("an escape of an escape");
  if (!is_utf8(*path)) return fail("text that is not UTF-8");
  if (auto good = check_segments(*path); !good) return std::unexpected(good.error());
  if (path->size() > 1 && path->ends_with('/')) path->pop_back();
  return path;
}

}  // namespace agentsh::services
