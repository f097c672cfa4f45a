#include "proxy/flows/dns_names.h"

#include <optional>
#include <utility>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

Resolution::Status status_of(dns::ResolveStatus status) {
  switch (status) {
    case dns::ResolveStatus::kFound:
      return Resolution::Status::kFound;
    case dns::ResolveStatus::kDenied:
      return Resolution::Status::kDenied;
    case dns::ResolveStatus::kNoSuchName:
      return Resolution::Status::kNoSuchName;
    case dns::ResolveStatus::kFailed:
      break;
  }
  return Resolution::Status::kFailed;
}

}  // namespace

std::shared_ptr<void> DnsLeases::hold(std::string_view name, const IpAddress& address) const {
  std::optional<dns::Lease> lease = session_->leases().hold(name, address);
  if (!lease) return nullptr;
  return std::make_shared<dns::Lease>(*std::move(lease));
}

asio::awaitable<Resolution> DnsResolver::resolve(std::string host, policy::Actor actor) {
  dns::Resolution found = co_await resolver_.resolve(session_, std::move(host), std::move(actor));
  Resolution result;
  result.status = status_of(found.status);
  result.addresses = std::move(found.addresses);
  result.verdict = std::move(found.verdict);
  result.reason = std::move(found.reason);
  co_return result;
}

}  // namespace agentsh::flows
