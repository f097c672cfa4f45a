// Calls back when a file in one of some directories changes (inotify(7)), once per burst of
// changes.
//
// Threads: the executor's. Directories that do not exist are not watched: SIGHUP still reloads.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace agentsh {

class DirectoryWatch {
 public:
  // Null, with a line in the log, when the host gives no inotify instance.
  static std::unique_ptr<DirectoryWatch> create(boost::asio::any_io_executor executor,
                                                const std::vector<std::string>& directories,
                                                std::function<void()> on_change);
  ~DirectoryWatch();

 private:
  struct State;
  explicit DirectoryWatch(std::shared_ptr<State> state);
  static boost::asio::awaitable<void> watch(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace agentsh
