// A kernel pipe through which bytes go from one socket to another without being copied into this
// process (splice(2)). Pipes are borrowed while bytes flow and kept for the next connection of the
// same thread, so an idle connection holds none.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstddef>

namespace agentsh::net {

class SplicePipe {
 public:
  SplicePipe() = default;
  // Hands the pipe back to this thread's spares when it is empty, else closes it.
  ~SplicePipe() { give_back(); }
  SplicePipe(SplicePipe&& other) noexcept;
  SplicePipe& operator=(SplicePipe&& other) noexcept;

  // One of this thread's spare pipes or a new one. Fails when descriptors are used up: the caller
  // copies instead.
  static Result<SplicePipe> borrow();

  // splice(2) without waiting. Like write(2) it raises SIGPIPE where the peer is gone: workers
  // block that signal, other threads must ignore it. What went through; 0 at the end of `socket`;
  // an error otherwise (EAGAIN among them).
  Result<std::size_t> fill(int socket);
  Result<std::size_t> drain(int socket);

  explicit operator bool() const { return static_cast<bool>(ends_.read); }
  std::size_t held() const { return held_; }

 private:
  struct Ends {
    UniqueFd read;
    UniqueFd write;
    std::size_t capacity = 0;
  };
  struct Spares;

  void give_back();

  Ends ends_;
  std::size_t held_ = 0;
};

}  // namespace agentsh::net
