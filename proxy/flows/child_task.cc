#include "proxy/flows/child_task.h"

#include "base/log.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>

namespace agentsh::flows {
namespace asio = boost::asio;

struct ChildTask::State {
  explicit State(const asio::any_io_executor& executor)
      : ended(executor, asio::steady_timer::time_point::max()) {}
  asio::cancellation_signal cancel;
  asio::steady_timer ended;
  bool running = true;
};

namespace {

// A cancellation ends the task's wait with an error value instead of an exception.
asio::awaitable<void> without_throwing(asio::awaitable<void> task) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

}  // namespace

void ChildTask::start(const asio::any_io_executor& executor, asio::awaitable<void> task) {
  state_ = std::make_shared<State>(executor);
  asio::co_spawn(executor, without_throwing(std::move(task)),
                 asio::bind_cancellation_slot(
                     state_->cancel.slot(), [state = state_](const std::exception_ptr& failure) {
                       if (failure) log_error("proxy", "a flow's task ended with an exception");
                       state->running = false;
                       state->ended.cancel();
                     }));
}

bool ChildTask::running() const {
  return state_ != nullptr && state_->running;
}

void ChildTask::cancel() {
  if (running()) state_->cancel.emit(asio::cancellation_type::total);
}

asio::awaitable<void> ChildTask::join() {
  // The timer never fires: it is canceled by the task's end.
  while (running()) {
    const std::shared_ptr<State> state = state_;
    co_await state->ended.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace agentsh::flows
