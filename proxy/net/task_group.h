// The coroutines of one event loop, so that they can be ended in order: first asked (total
// cancellation: what only waits stops waiting), then, after a grace, told (terminal).
//
//   TaskGroup tasks(worker.executor());
//   tasks.spawn("flow", serve(std::move(socket)));
//   ...
//   std::size_t left = co_await tasks.shutdown(5s);
//
// Inside a task a cancellation never throws: the wait that it ends returns operation_canceled. A
// task that must not be interrupted in its middle narrows its cancellation state to terminal
// (asio::this_coro::reset_cancellation_state). An exception that leaves a task is a bug; it is
// logged and ends that task only.
//
// Threads: the loop's. Lifetime: the group may go before its tasks do; they are then on their own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string_view>

namespace agentsh::net {

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `task` on the loop. False, and the task is destroyed unstarted, once shutdown() has
  // begun. `name` is for the log and must outlive the task: a literal.
  bool spawn(std::string_view name, boost::asio::awaitable<void> task);

  std::size_t size() const;
  bool stopping() const;

  // Asks all to end, waits at most `grace`, tells all to end, waits at most `grace` again. Returns
  // how many are still there.
  boost::asio::awaitable<std::size_t> shutdown(std::chrono::milliseconds grace);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace agentsh::net
