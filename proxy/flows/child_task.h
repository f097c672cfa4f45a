// A second coroutine that works for a first one, on the same thread: the upload beside the
// response, the watch on a silent client.
//
//   ChildTask upload;
//   upload.start(executor, pump(*this));
//   ...
//   upload.cancel();             // Its wait ends with operation_canceled.
//   co_await upload.join();      // Always before what it refers to goes.
//
// The task must not throw and must end soon after a cancellation.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>

namespace agentsh::flows {

class ChildTask {
 public:
  // Precondition: not running. Runs up to its first wait at once.
  void start(const boost::asio::any_io_executor& executor, boost::asio::awaitable<void> task);
  bool running() const;
  void cancel();
  boost::asio::awaitable<void> join();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace agentsh::flows
