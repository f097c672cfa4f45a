#include "appliance/guard/upstream_credentials.h"

#include "appliance/config/trusted_file.h"
#include "proxy/services/secret_fetch.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <optional>
#include <utility>

namespace agentsh::guard {
namespace asio = boost::asio;

namespace {

std::unexpected<sql::LoginFailure> unavailable(const std::string& service,
                                               const std::string& reference, const Error& error) {
  return std::unexpected(sql::LoginFailure{
      .sqlstate = std::string(sql::kConnectionFailure),
      .message = fmt::format("the credentials of {} cannot be had: {}: {}", service, reference,
                             error.what),
      .hint = fmt::format("Whoever runs the guard has to look at db_services.{}.credentials.",
                          service)});
}

Result<std::shared_ptr<const certs::Leaf>> read_certificate(
    const policy::DbCredentials& credentials, uid_t reader) {
  auto certificate = config::read_trusted_file(credentials.certificate_file, reader);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = config::read_secret_file(credentials.key_file, reader);
  if (!key) return std::unexpected(key.error());
  auto leaf = certs::Leaf::from_pem(*certificate, *key);
  wipe(*key);
  return leaf;
}

}  // namespace

asio::awaitable<sql::LoginResult<pg::ServerCredentials>> UpstreamCredentials::resolve(
    std::string service, policy::DbCredentials credentials,
    std::vector<policy::SecretProvider> providers) {
  pg::ServerCredentials found;
  if (!credentials.certificate_file.empty()) {
    auto certificate = read_certificate(credentials, reader_);
    if (!certificate)
      co_return unavailable(service, credentials.certificate_file, certificate.error());
    found.certificate = std::move(*certificate);
  }
  if (!credentials.password_ref.empty()) {
    auto password =
        co_await services::fetch_secret(*secrets_, credentials.password_ref, std::move(providers),
                                        co_await asio::this_coro::executor);
    if (!password) co_return unavailable(service, credentials.password_ref, password.error());
    found.password = std::move(*password);
  }
  co_return found;
}

}  // namespace agentsh::guard
