#include "appliance/sessions/session_trust.h"

#include "certs/leaf.h"
#include "certs/trust_locations.h"

namespace agentsh {
namespace {

// Where the variables point: inside the session's own /run, beside the daemon's directory of the
// host, which is masked.
constexpr const char* kBundle = "/run/agentsh-trust/bundle.pem";
constexpr const char* kAuthority = "/run/agentsh-trust/authority.pem";
constexpr const char* kDirectory = "/etc/ssl/certs";

}  // namespace

Result<std::unique_ptr<SessionTrust>> SessionTrust::open(Options options) {
  auto authority = certs::Authority::create_or_load(options.directory);
  if (!authority) return std::unexpected(with_context(authority.error(), "certificate authority"));
  std::unique_ptr<SessionTrust> trust(new SessionTrust(std::move(options)));
  auto epoch = trust->build(*authority);
  if (!epoch) return std::unexpected(epoch.error());
  trust->current_.store(std::move(*epoch));
  return trust;
}

Result<std::shared_ptr<const TrustEpoch>> SessionTrust::build(
    std::shared_ptr<const certs::Authority> authority) const {
  certs::TrustOptions what;
  what.cache = options_.cache;
  what.extra = options_.extra;
  auto files = certs::TrustFiles::prepare(what, *authority);
  if (!files) return std::unexpected(with_context(files.error(), "trust files"));
  auto factory = certs::LeafFactory::create(authority);
  if (!factory) return std::unexpected(factory.error());
  auto epoch = std::make_shared<TrustEpoch>();
  epoch->authority = std::move(authority);
  epoch->leaves = std::make_shared<certs::LeafCache>(std::move(*factory));
  for (const certs::TrustMount& mount : files->mounts)
    epoch->mounts.push_back({mount.source, mount.target});
  epoch->mounts.push_back({files->bundle, kBundle});
  epoch->mounts.push_back({files->authority, kAuthority});
  epoch->variables = certs::trust_environment(kBundle, kDirectory, kAuthority);
  epoch->bundle_file = files->bundle;
  epoch->authority_file = files->authority;
  return epoch;
}

std::vector<std::pair<std::string, std::string>> TrustEpoch::variables_for(
    const std::string& bundle, const std::string& authority) {
  return certs::trust_environment(bundle, {}, authority);
}

Result<> SessionTrust::rotate() {
  auto authority = certs::Authority::rotate(options_.directory);
  if (!authority) return std::unexpected(authority.error());
  auto epoch = build(std::move(*authority));
  if (!epoch) return std::unexpected(epoch.error());
  current_.store(std::move(*epoch));
  return {};
}

}  // namespace agentsh
