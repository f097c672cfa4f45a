#include "proxy/dns/resolver_config.h"

#include "base/domain.h"
#include "proxy/dns/text_lines.h"

namespace agentsh::dns {
namespace {

constexpr std::size_t kMaxServers = 8;
constexpr std::size_t kMaxSuffixes = 32;
constexpr std::uint16_t kDnsPort = 53;

}  // namespace

ResolverConfig ResolverConfig::parse(std::string_view text) {
  ResolverConfig config;
  for_each_line(text, "#;", [&](const std::vector<std::string_view>& words) {
    const std::string_view key = words.front();
    if (key == "nameserver" && words.size() > 1 && config.servers.size() < kMaxServers) {
      if (auto address = IpAddress::parse(words[1])) config.servers.push_back({*address, kDnsPort});
    } else if (key == "search" || key == "domain") {
      config.suffixes.clear();
      for (std::size_t i = 1; i < words.size() && config.suffixes.size() < kMaxSuffixes; ++i) {
        if (auto host = canonical_host(words[i])) config.suffixes.push_back(std::move(*host));
      }
    }
  });
  return config;
}

}  // namespace agentsh::dns
