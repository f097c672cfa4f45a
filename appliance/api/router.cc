#include "appliance/api/router.h"

#include "base/encoding.h"

#include <optional>

namespace agentsh::api {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // The slash.
    const std::size_t slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  }
  return segments;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int byte = percent_escape(text.substr(i));
      if (byte < 0) return {};
      c = static_cast<char>(byte);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return {};
    out += c;
  }
  return out;
}

bool capture(std::string_view segment) {
  return segment.starts_with('{');
}

}  // namespace

void Router::add(std::string method, std::string_view pattern, Role role, Handler handler) {
  routes_.push_back({std::move(method), split(pattern), role, std::move(handler)});
}

boost::asio::awaitable<Response> Router::route(Exchange& exchange) const {
  const std::vector<std::string> segments = split(exchange.request.path);
  bool path_known = false;
  for (const Route& route : routes_) {
    if (route.segments.size() != segments.size()) continue;
    std::vector<std::string> captures;
    bool same = true;
    for (std::size_t i = 0; same && i < segments.size(); ++i) {
      if (capture(route.segments[i])) {
        auto value = decode(segments[i], false);
        same = value && !value->empty();
        if (same) captures.push_back(std::move(*value));
      } else {
        same = route.segments[i] == segments[i];
      }
    }
    if (!same) continue;
    path_known = true;
    if (route.method != exchange.request.method) continue;
    const Role role = exchange.request.caller.role;
    if (role < route.role) {
      co_return role == Role::kNone
          ? Response::error(401, "an API key is needed (X-API-Key)")
          : Response::error(403, "this caller's role does not allow that");
    }
    exchange.request.captures = std::move(captures);
    co_return co_await route.handler(exchange);
  }
  co_return path_known ? Response::error(405, "method not allowed here")
                       : Response::error(404, "no such resource");
}

std::vector<Router::Description> Router::describe() const {
  std::vector<Description> list;
  for (const Route& route : routes_) {
    std::string pattern;
    for (const std::string& segment : route.segments) pattern += "/" + segment;
    list.push_back({route.method, std::move(pattern), route.role});
  }
  return list;
}

bool parse_target(std::string_view target, Request& request) {
  if (!target.starts_with('/')) return false;
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (!decode(request.path, false)) return false;
  std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    auto name = decode(pair.substr(0, equals), true);
    auto value = decode(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!name || !value) return false;
    request.query.emplace(std::move(*name), std::move(*value));
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
  }
  return true;
}

}  // namespace agentsh::api
