#include "appliance/guard/upstream_credentials.h"

#include "appliance/config/trusted_file.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <optional>
#include <utility>

namespace agentsh::guard {
namespace asio = boost::asio;

namespace {

using SecretResult = Result<std::shared_ptr<const SecretText>>;

// Shared with the callback, which may come from another thread and later than the login lives.
struct Pending {
  explicit Pending(const asio::any_io_executor& executor)
      : arrived(executor, asio::steady_timer::time_point::max()) {}
  std::optional<SecretResult> result;  // Touched on the login's thread only.
  asio::steady_timer arrived;
};

asio::awaitable<SecretResult> fetch(std::shared_ptr<services::SecretSource> source,
                                    std::string reference,
                                    std::vector<policy::SecretProvider> providers) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto pending = std::make_shared<Pending>(executor);
  source->get(reference, providers, [pending, executor](SecretResult result) {
    asio::dispatch(executor, [pending, result = std::move(result)]() mutable {
      pending->result = std::move(result);
      pending->arrived.cancel();
    });
  });
  while (!pending->result) {
    const auto [canceled] =
        co_await pending->arrived.async_wait(asio::as_tuple(asio::use_awaitable));
    // Canceled without a result: the worker is shutting down.
    if (canceled && !pending->result) co_return fail("the appliance is shutting down");
  }
  co_return *std::move(pending->result);
}

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
    auto password = co_await fetch(secrets_, credentials.password_ref, std::move(providers));
    if (!password) co_return unavailable(service, credentials.password_ref, password.error());
    found.password = std::move(*password);
  }
  co_return found;
}

}  // namespace agentsh::guard
