#include "proxy/codec/http/authority.h"

#include "base/ip.h"
#include "proxy/codec/http/text.h"

#include <algorithm>
#include <charconv>

namespace agentsh::http {
namespace {

bool is_label_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// The rules of canonical_host(), without making the canonical form.
bool is_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253) return false;
  std::size_t label = 0;
  for (char c : text) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
    } else if (!is_label_char(c) || ++label > 63) {
      return false;
    }
  }
  return label > 0;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  unsigned value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  if (digits.size() > 5 || value == 0 || value > 65535) return {};
  return static_cast<std::uint16_t>(value);
}

std::string_view without_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority authority;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return {};
    authority.host = text.substr(1, close - 1);
    authority.ipv6_literal = true;
    // Only the text form matters: a mapped IPv4 address in brackets is a legal literal.
    if (authority.host.find(':') == std::string_view::npos) return {};
    if (!IpAddress::parse(authority.host)) return {};
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    authority.host = text.substr(0, colon);
    if (!is_host_name(authority.host)) return {};
    rest = text.substr(colon);
  }
  if (rest.empty()) return authority;
  if (rest.front() != ':') return {};
  const std::optional<std::uint16_t> port = parse_port(rest.substr(1));
  if (!port) return {};
  authority.port = *port;
  return authority;
}

bool same_host(std::string_view a, std::string_view b) {
  return equal_ignoring_case(without_dot(a), without_dot(b));
}

}  // namespace agentsh::http
