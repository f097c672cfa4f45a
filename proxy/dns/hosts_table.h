// The entries of a hosts file (hosts(5)): names answered without asking an upstream. Each counts as
// a lease of the session that sees it.
//
// A session's own table must come from a file that the session cannot write, or it could give
// itself any address under any name.
//
// Lines that are no entry are skipped; at most 10 000 entries are kept. Immutable once parsed.
#pragma once

#include "base/ip.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace agentsh::dns {

class HostsTable {
 public:
  static HostsTable parse(std::string_view text);

  bool has(const std::string& host) const { return by_name_.contains(host); }
  // Addresses of a canonical name, in the file's order; empty when there is no entry.
  const std::vector<IpAddress>& addresses_of(const std::string& host) const;
  // The first name of an address (its canonical one, hosts(5)); nullptr when there is none.
  const std::string* name_of(const IpAddress& address) const;

  const std::vector<std::pair<std::string, IpAddress>>& entries() const { return entries_; }

 private:
  std::unordered_map<std::string, std::vector<IpAddress>> by_name_;
  std::unordered_map<IpAddress, std::string> by_address_;
  std::vector<std::pair<std::string, IpAddress>> entries_;
};

}  // namespace agentsh::dns
