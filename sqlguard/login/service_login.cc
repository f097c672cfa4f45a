#include "sqlguard/login/service_login.h"

#include "base/lock_guarded.h"

#include <map>
#include <string>

namespace agentsh::sql {
namespace {

constexpr std::size_t kMostVerifiers = 256;
using Verifiers = std::map<std::string, std::shared_ptr<const ScramVerifier>, std::less<>>;

LockGuarded<Verifiers>& verifiers() {
  static LockGuarded<Verifiers> all;
  return all;
}

ChannelBinding binding_of(policy::DbChannelBinding binding) {
  switch (binding) {
    case policy::DbChannelBinding::kPrefer:
      return ChannelBinding::kPrefer;
    case policy::DbChannelBinding::kRequire:
      return ChannelBinding::kRequire;
    case policy::DbChannelBinding::kDisable:
      return ChannelBinding::kDisable;
  }
  return ChannelBinding::kRequire;
}

}  // namespace

std::shared_ptr<const ScramVerifier> verifier_of(std::string_view placeholder) {
  {
    auto known = verifiers().lock();
    if (const auto found = known->find(placeholder); found != known->end()) return found->second;
  }
  auto made = ScramVerifier::of(placeholder);
  auto known = verifiers().lock();
  if (known->size() >= kMostVerifiers) known->clear();
  // The first one stays: a login that another thread began has its salt.
  return known->emplace(placeholder, std::move(made)).first->second;
}

ClientLoginOptions client_login_of(const policy::DbService& service, std::string_view user) {
  ClientLoginOptions options{.user = std::string(user), .service = service.name};
  if (!service.credentials) return options;  // Refuses: there is nothing to check against.
  options.required_user = service.credentials->client_user;
  if (service.credentials->placeholder.empty())
    options.method = ClientLoginOptions::Method::kNone;
  else
    options.verifier = verifier_of(service.credentials->placeholder);
  return options;
}

UpstreamLoginOptions upstream_login_of(const policy::DbService& service) {
  return {.channel_binding = binding_of(service.channel_binding),
          .allow_cleartext = service.allow_cleartext_password,
          .allow_md5 = service.allow_md5_password,
          .service = service.name};
}

RelayedLoginOptions relayed_login_of(const policy::DbService& service, bool client_tls) {
  return {.client_tls = client_tls,
          .allow_cleartext = service.allow_cleartext_password,
          .allow_md5 = service.allow_md5_password,
          .service = service.name};
}

std::string_view upstream_user(const policy::DbService& service, std::string_view user) {
  if (!service.credentials || service.credentials->user.empty()) return user;
  return service.credentials->user;
}

}  // namespace agentsh::sql
