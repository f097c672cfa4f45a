// A process held by descriptor (pidfd_open(2)): signalling it can never hit another process that
// got its number.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace agentsh::sandbox {

class PidFd {
 public:
  PidFd() = default;
  explicit PidFd(UniqueFd fd) : fd_(std::move(fd)) {}

  int get() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }

  // Fails with no_such_process when it has ended.
  Result<> signal(int signal) const;
  // Waits until it has ended and reaps it, if it is a child. `timeout_ms` < 0 waits for ever; false
  // on time-out.
  bool wait(int timeout_ms) const;

 private:
  UniqueFd fd_;
};

}  // namespace agentsh::sandbox
