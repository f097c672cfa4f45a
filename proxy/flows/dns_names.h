// Leases and look-ups of a session's DNS service as what flows ask.
#pragma once

#include "proxy/dns/resolver.h"
#include "proxy/dns/session.h"
#include "proxy/flows/services.h"

namespace agentsh::flows {

class DnsLeases final : public NameLeases {
 public:
  explicit DnsLeases(std::shared_ptr<dns::Session> session) : session_(std::move(session)) {}

  std::vector<std::string> names_of(const IpAddress& address) const override {
    return session_->leases().names_of(address);
  }
  bool is_leased(std::string_view name, const IpAddress& address) const override {
    return session_->leases().is_leased(name, address);
  }
  std::shared_ptr<void> hold(std::string_view name, const IpAddress& address) const override;

 private:
  const std::shared_ptr<dns::Session> session_;
};

class DnsResolver final : public NameResolver {
 public:
  // `resolver` is the service's (dns/service.h) and is kept alive by the caller's `keep_alive`.
  DnsResolver(std::shared_ptr<dns::Session> session, const dns::Resolver& resolver,
              std::shared_ptr<const void> keep_alive)
      : session_(std::move(session)), resolver_(resolver), keep_alive_(std::move(keep_alive)) {}

  boost::asio::awaitable<Resolution> resolve(std::string host, policy::Actor actor) override;
  boost::asio::awaitable<Result<std::vector<IpAddress>>> look_up(std::string host) override {
    return resolver_.look_up(std::move(host));
  }

 private:
  const std::shared_ptr<dns::Session> session_;
  const dns::Resolver& resolver_;
  const std::shared_ptr<const void> keep_alive_;
};

}  // namespace agentsh::flows
