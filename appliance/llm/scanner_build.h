// The DLP scanner that all sessions share. Building its automaton takes a second or so, which no
// start should wait for: it is built in a thread of its own, and who needs it before it is there
// waits. When it cannot be built, what needs it is refused.
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "base/result.h"
#include "dlp/scanner.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace agentsh {

class ScannerBuild {
 public:
  using Scanner = std::shared_ptr<const dlp::Scanner>;
  using Build = std::function<Result<Scanner>()>;

  // Begins at once.
  explicit ScannerBuild(Build build);
  // Waits for the thread.
  ~ScannerBuild();
  ScannerBuild(const ScannerBuild&) = delete;
  ScannerBuild& operator=(const ScannerBuild&) = delete;

  // Nothing while it is being built.
  std::optional<Result<Scanner>> result() const;
  boost::asio::awaitable<Result<Scanner>> wait(boost::asio::any_io_executor executor);

 private:
  struct State {
    std::optional<Result<Scanner>> result;
    std::vector<std::function<void()>> waiters;
  };
  void run(const Build& build);

  mutable LockGuarded<State> state_;
  std::thread thread_;
};

}  // namespace agentsh
