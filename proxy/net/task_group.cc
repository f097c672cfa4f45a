#include "proxy/net/task_group.h"

#include "base/log.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <list>

namespace agentsh::net {
namespace asio = boost::asio;

struct TaskGroup::State {
  explicit State(const asio::any_io_executor& executor) : idle(executor) {}

  void emit(asio::cancellation_type type) {
    for (asio::cancellation_signal& signal : signals) signal.emit(type);
  }

  std::list<asio::cancellation_signal> signals;  // One per task.
  asio::steady_timer idle;                       // Canceled when the last task ends.
  bool stopping = false;
};

namespace {

asio::awaitable<void> run_quietly(asio::awaitable<void> task) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

void log_escaped(std::string_view name, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& caught) {
    log_error("net", "task {} ended by an exception: {}", name, caught.what());
  } catch (...) {
    log_error("net", "task {} ended by an exception of unknown type", name);
  }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {}

TaskGroup::~TaskGroup() = default;

bool TaskGroup::spawn(std::string_view name, asio::awaitable<void> task) {
  if (state_->stopping) return false;
  const auto signal = state_->signals.emplace(state_->signals.end());
  auto done = [state = state_, signal, name](const std::exception_ptr& error) {
    state->signals.erase(signal);
    if (state->signals.empty()) state->idle.cancel();
    if (error) log_escaped(name, error);
  };
  asio::co_spawn(state_->idle.get_executor(), run_quietly(std::move(task)),
                 asio::bind_cancellation_slot(signal->slot(), std::move(done)));
  return true;
}

std::size_t TaskGroup::size() const {
  return state_->signals.size();
}

bool TaskGroup::stopping() const {
  return state_->stopping;
}

asio::awaitable<std::size_t> TaskGroup::shutdown(std::chrono::milliseconds grace) {
  const std::shared_ptr<State> state = state_;
  state->stopping = true;
  for (const auto type : {asio::cancellation_type::total, asio::cancellation_type::terminal}) {
    state->emit(type);
    state->idle.expires_after(grace);
    if (state->signals.empty()) break;
    co_await state->idle.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return state->signals.size();
}

}  // namespace agentsh::net
