#include "proxy/flows/route.h"
#include "proxy/flows/stream_io.h"
#include "proxy/net/deadlines.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>

namespace agentsh::flows {
namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kWatchInterval{1000};

// Shared with the callback, which may come from another thread and later than the flow lives.
struct Pending {
  explicit Pending(const asio::any_io_executor& executor)
      : answered(executor, asio::steady_timer::time_point::max()) {}
  std::optional<policy::Verdict> verdict;  // Touched on the flow's thread only.
  asio::steady_timer answered;             // Canceled when the verdict is there.
};

void answer(const std::shared_ptr<Pending>& pending, policy::Verdict verdict) {
  pending->verdict = std::move(verdict);
  pending->answered.cancel();
}

// Withdraws the request when the client has gone.
class ClientWatch {
 public:
  ClientWatch(Connection& connection, std::string approval_id)
      : connection_(connection),
        approval_id_(std::move(approval_id)),
        deadline_(net::Deadlines::of(connection.client->executor()), &check, this) {
    deadline_.expires_after(kWatchInterval);
  }

 private:
  static void check(void* self) {
    auto& watch = *static_cast<ClientWatch*>(self);
    const int socket = watch.connection_.client->native_handle();
    if (socket >= 0 && peer_is_gone(socket, true)) {
      watch.connection_.context->policy->abandon(watch.approval_id_);
    } else {
      watch.deadline_.expires_after(kWatchInterval);
    }
  }

  Connection& connection_;
  std::string approval_id_;
  net::Deadline deadline_;
};

}  // namespace

asio::awaitable<policy::Verdict> settle(Connection& connection, policy::Verdict verdict,
                                        policy::ApprovalRequest request, audit::Event event,
                                        std::string* approval_id) {
  FlowPolicy& door = *connection.context->policy;
  if (!verdict.needs_approval()) {
    // Answered before it returns. The answer may still differ: no record, no permission.
    std::optional<policy::Verdict> final;
    door.settle(std::move(verdict), {}, std::move(event),
                [&final](policy::Verdict settled) { final = std::move(settled); });
    co_return final ? *std::move(final)
                    : policy::Verdict::deny("unsettled", "the decision was not recorded");
  }
  const asio::any_io_executor executor = connection.client->executor();
  auto pending = std::make_shared<Pending>(executor);
  auto done = [pending, executor](policy::Verdict settled) {
    asio::dispatch(executor, [pending, settled = std::move(settled)]() mutable {
      answer(pending, std::move(settled));
    });
  };
  const std::string id =
      door.settle(std::move(verdict), std::move(request), std::move(event), std::move(done));
  if (approval_id != nullptr) *approval_id = id;
  const ClientWatch watch(connection, id);
  while (!pending->verdict) {
    const auto [canceled] =
        co_await pending->answered.async_wait(asio::as_tuple(asio::use_awaitable));
    // Canceled without an answer: the worker is shutting down. The answer is a denial, and comes.
    if (canceled && !pending->verdict) door.abandon(id);
  }
  co_return *std::move(pending->verdict);
}

}  // namespace agentsh::flows
