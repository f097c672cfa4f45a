#include "appliance/config/proxy_url.h"

#include "base/domain.h"
#include "base/encoding.h"

#include <fmt/format.h>

#include <charconv>

namespace agentsh::config {
namespace {

std::unexpected<Error> malformed(std::string_view why) {
  return fail(
      fmt::format("must be a URL such as http://proxy.example.com:3128 or "
                  "http://user:password@proxy.example.com:3128: {}",
                  why));
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    unsigned byte = 0;
    const char* first = text.data() + i + 1;
    if (text.size() - i < 3) return {};
    auto [end, error] = std::from_chars(first, first + 2, byte, 16);
    if (error != std::errc{} || end != first + 2 || byte < 0x20) return {};
    result += static_cast<char>(byte);
    i += 2;
  }
  return result;
}

}  // namespace

Result<UpstreamProxy> parse_proxy_url(std::string_view text) {
  if (text.empty()) return UpstreamProxy{};
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) return malformed("only http:// proxies are spoken to");
  text.remove_prefix(kScheme.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
      return malformed("it holds a blank or a control byte");
    }
  }
  if (text.find_first_of("/?#") != std::string_view::npos) {
    return malformed("it has a path; encode \"/\", \"?\" and \"#\" in a password as %2F, %3F, %23");
  }
  UpstreamProxy proxy;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view user_info = text.substr(0, at);
    const std::size_t colon = user_info.find(':');
    auto user = percent_decode(user_info.substr(0, colon));
    auto password = percent_decode(colon == std::string_view::npos ? std::string_view{}
                                                                   : user_info.substr(colon + 1));
    if (!user || !password || user->empty()) return malformed("user or password is malformed");
    proxy.user = std::move(*user);
    proxy.password = std::move(*password);
    text.remove_prefix(at + 1);
  }
  auto place = split_host_port(text, 0);
  if (!place || place->port == 0) return malformed("host or port is missing");
  const bool address = IpAddress::parse(place->host).has_value();
  auto host = canonical_host(place->host);
  if (!address && !host) return malformed("the host is no host name");
  proxy.host = address ? place->host : *host;
  proxy.port = place->port;
  return proxy;
}

std::string format_proxy_url(const UpstreamProxy& proxy, bool masked) {
  if (proxy.host.empty()) return "";
  std::string url = "http://";
  if (!proxy.user.empty()) {
    url += percent_encoded(proxy.user);
    if (!proxy.password.empty()) url += ":" + (masked ? "****" : percent_encoded(proxy.password));
    url += '@';
  }
  const bool v6 = proxy.host.find(':') != std::string::npos;
  return url + (v6 ? "[" + proxy.host + "]" : proxy.host) + fmt::format(":{}", proxy.port);
}

}  // namespace agentsh::config
