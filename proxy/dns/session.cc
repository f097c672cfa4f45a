#include "proxy/dns/session.h"

#include "base/domain.h"

#include <algorithm>

namespace agentsh::dns {

Session::Session(SessionOptions options)
    : options_(std::move(options)), leases_(std::make_shared<LeaseTable>(options_.leases)) {
  for (const auto& [host, address] : options_.hosts.entries()) {
    // Loopback is the session's own and needs no lease; for the proxy it would be the daemon's.
    const AddressClass address_class = classify(address);
    if (address_class == AddressClass::kLoopback || address_class == AddressClass::kUnspecified) {
      continue;
    }
    leases_->grant(host, address, LeaseTable::kForever, LeaseOrigin::kHosts);
  }
}

bool Session::has_search_suffix(std::string_view host) const {
  return std::any_of(options_.search_suffixes.begin(), options_.search_suffixes.end(),
                     [host](const std::string& suffix) {
                       return host != suffix && is_subdomain_of(host, suffix);
                     });
}

bool Session::begin_wait() {
  if (pending_.fetch_add(1) < options_.max_pending) return true;
  --pending_;
  return false;
}

}  // namespace agentsh::dns
