#include "appliance/network/configured_policy.h"

#include "base/domain.h"
#include "base/unique_fd.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace agentsh {
namespace {

constexpr std::string_view kHostPortRule = "host-port";
constexpr std::string_view kControlApiRule = "control-api";

int errno_of_bind(int socket, const sockaddr_storage& address, socklen_t length) {
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
}

// Is it an address of this host? Only own addresses can be bound to.
bool is_own_address(const IpAddress& address) {
  sockaddr_storage storage;
  const socklen_t length = Endpoint{address, 0}.to_sockaddr(storage);
  UniqueFd socket(
      ::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  // What cannot be found out counts as ours: this only asks about the port of the control API.
  return !socket || errno_of_bind(socket.get(), storage, length) != EADDRNOTAVAIL;
}

// `pattern` is a host or "*.suffix", as sandbox.network.tls_passthrough has them.
bool host_matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return canonical_host(pattern) == host;
  const auto suffix = canonical_host(pattern.substr(2));
  return suffix && host != *suffix && is_subdomain_of(host, *suffix);
}

}  // namespace

bool ConfiguredPolicy::passes_tls(std::string_view host) const {
  if (!network_.tls_inspection) return true;
  return std::ranges::any_of(network_.tls_passthrough, [&](const std::string& pattern) {
    return host_matches(pattern, host);
  });
}

bool ConfiguredPolicy::is_control_api(const policy::ConnectFacts& facts) const {
  if (!control_api_ || facts.transport != policy::Transport::kTcp ||
      facts.port != control_api_->port)
    return false;
  if (classify(control_api_->address) != AddressClass::kUnspecified)
    return facts.address == control_api_->address;
  return is_own_address(facts.address);
}

policy::Verdict ConfiguredPolicy::judge(const policy::ConnectFacts& facts) const {
  if (is_control_api(facts)) {
    return policy::Verdict::deny(kControlApiRule,
                                 "The control API of agentsh is not reachable from a session.");
  }
  if (services_ != nullptr && !facts.name.empty()) {
    if (auto direct = services_->judge_direct(facts.name)) return *std::move(direct);
  }
  policy::Verdict verdict = rules_.judge(facts);
  const bool named = facts.transport == policy::Transport::kTcp &&
                     classify(facts.address) == AddressClass::kLoopback &&
                     std::ranges::find(host_ports_, facts.port) != host_ports_.end();
  if (named && verdict.rule() == policy::kDefaultDenyNetwork)
    return policy::Verdict::allow(kHostPortRule);
  if (passes_tls(facts.name)) return std::move(verdict).with_tls_passthrough(true);
  return verdict;
}

std::string ConfiguredPolicy::settle(policy::Verdict verdict, policy::ApprovalRequest request,
                                     audit::Event event, Callback done) {
  if (verdict.rule() == services::kDirectRule) event.type = "http_service_denied_direct";
  return rules_.settle(std::move(verdict), std::move(request), std::move(event), std::move(done));
}

}  // namespace agentsh
