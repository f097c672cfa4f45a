// Copies what arrives at one descriptor to another, on a thread of its own, and shows each piece to
// an observer.
//
// A thread, because what a client gives us may be anything (files, pipes, terminals) and shares its
// flags with other processes: it cannot be made non-blocking for an event loop. The thread never
// blocks without listening for abandon().
//
// Threads: the observer runs on the relay's thread; everything else is for the loop of `executor`.
#pragma once

#include "appliance/sessions/one_time_event.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>

namespace agentsh {

class StreamRelay {
 public:
  using Observer = std::function<void(std::string_view)>;

  static Result<std::unique_ptr<StreamRelay>> start(boost::asio::any_io_executor executor,
                                                    UniqueFd from, UniqueFd to, Observer observer);
  // Abandons.
  ~StreamRelay();

  // What has arrived is passed on, then it ends; without this it ends when `from` or `to` does.
  void finish();
  // Ends now.
  void abandon();
  // Both descriptors are closed then.
  boost::asio::awaitable<void> ended() { co_await ended_->wait(); }

 private:
  StreamRelay(boost::asio::any_io_executor executor, UniqueFd from, UniqueFd to, Observer observer,
              UniqueFd finish, UniqueFd abandon);
  void run();
  bool wait_readable();
  bool write_all(std::string_view data);

  UniqueFd from_;
  UniqueFd to_;
  Observer observer_;
  UniqueFd finish_;   // eventfd(2): readable after finish().
  UniqueFd abandon_;  // eventfd(2): readable after abandon().
  std::shared_ptr<OneTimeEvent> ended_;
  std::thread thread_;
};

}  // namespace agentsh
