#include "proxy/dns/hosts_table.h"

#include "base/domain.h"
#include "proxy/dns/text_lines.h"

#include <algorithm>

namespace agentsh::dns {
namespace {

constexpr std::size_t kMaxEntries = 10'000;

}  // namespace

HostsTable HostsTable::parse(std::string_view text) {
  HostsTable table;
  for_each_line(text, "#", [&](const std::vector<std::string_view>& words) {
    const auto address = IpAddress::parse(words.front());
    if (!address) return;
    for (std::size_t i = 1; i < words.size() && table.entries_.size() < kMaxEntries; ++i) {
      auto host = canonical_host(words[i]);
      if (!host) continue;
      auto& addresses = table.by_name_[*host];
      if (std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) continue;
      addresses.push_back(*address);
      table.by_address_.try_emplace(*address, *host);
      table.entries_.emplace_back(std::move(*host), *address);
    }
  });
  return table;
}

const std::vector<IpAddress>& HostsTable::addresses_of(const std::string& host) const {
  static const std::vector<IpAddress> none;
  const auto found = by_name_.find(host);
  return found == by_name_.end() ? none : found->second;
}

const std::string* HostsTable::name_of(const IpAddress& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : &found->second;
}

}  // namespace agentsh::dns
