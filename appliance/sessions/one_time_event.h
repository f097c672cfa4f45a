// Something that happens once and that one coroutine of the same loop waits for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace agentsh {

class OneTimeEvent {
 public:
  explicit OneTimeEvent(boost::asio::any_io_executor executor)
      : timer_(std::move(executor), boost::asio::steady_timer::time_point::max()) {}

  // In the loop's thread.
  void fire() {
    fired_ = true;
    timer_.cancel();
  }
  bool fired() const { return fired_; }
  boost::asio::any_io_executor executor() { return timer_.get_executor(); }

  // Returns at once when it has happened already.
  boost::asio::awaitable<void> wait() {
    while (!fired_) co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }

 private:
  boost::asio::steady_timer timer_;
  bool fired_ = false;
};

}  // namespace agentsh
