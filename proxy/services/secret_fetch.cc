#include "proxy/services/secret_fetch.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace agentsh::services {
namespace asio = boost::asio;

namespace {

using SecretResult = Result<std::shared_ptr<const SecretText>>;

// Shared with the callback, which may come from another thread and later than the caller lives.
struct Pending {
  explicit Pending(const asio::any_io_executor& executor)
      : arrived(executor, asio::steady_timer::time_point::max()) {}
  std::optional<SecretResult> result;  // Touched on the caller's thread only.
  asio::steady_timer arrived;
};

}  // namespace

asio::awaitable<SecretResult> fetch_secret(SecretSource& source, std::string reference,
                                           std::vector<policy::SecretProvider> providers,
                                           asio::any_io_executor executor) {
  auto pending = std::make_shared<Pending>(executor);
  source.get(reference, providers, [pending, executor](SecretResult result) {
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

}  // namespace agentsh::services
