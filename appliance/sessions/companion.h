// A coroutine beside another one that is ended with it.
#pragma once

#include "appliance/sessions/one_time_event.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <memory>

namespace agentsh {

class Companion {
 public:
  Companion(boost::asio::any_io_executor executor, boost::asio::awaitable<void> work)
      : done_(std::make_shared<OneTimeEvent>(executor)) {
    boost::asio::co_spawn(
        executor, std::move(work),
        boost::asio::bind_cancellation_slot(signal_->slot(),
                                            [done = done_](std::exception_ptr) { done->fire(); }));
  }
  boost::asio::awaitable<void> end() {
    signal_->emit(boost::asio::cancellation_type::all);
    co_await done_->wait();
  }

 private:
  std::shared_ptr<boost::asio::cancellation_signal> signal_ =
      std::make_shared<boost::asio::cancellation_signal>();
  std::shared_ptr<OneTimeEvent> done_;
};

}  // namespace agentsh
