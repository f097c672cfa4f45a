#include "audit/signals.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

namespace agentsh::audit {

Result<Doorbell> Doorbell::create() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return std::unexpected(errno_error("eventfd"));
  return Doorbell(std::move(fd));
}

void Doorbell::ring() {
  if (rung_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  // It can fail only when the counter is full, and then the bell rings already.
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

void Doorbell::wait(std::chrono::milliseconds limit) {
  pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  ::poll(&entry, 1, static_cast<int>(limit.count()));
  asleep_.store(false, std::memory_order_seq_cst);
  // Read first, then open the way for the next ring: a ring in between is swallowed, which is fine
  // because the writer looks for work after this; the other way round the descriptor could be read
  // empty with rung_ left set, and nobody would ever write to it again.
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(fd_.get(), &count, sizeof count);
  rung_.store(false, std::memory_order_seq_cst);
}

bool Progress::wait(std::chrono::milliseconds limit, const std::function<bool()>& reached) {
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  bool result = false;
  {
    std::unique_lock lock(mutex_);
    result = stepped_.wait_for(lock, limit, reached);
  }
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return result;
}

void Progress::step() {
  if (waiting_.load(std::memory_order_seq_cst) == 0) return;
  // Taken and left: a waiter between its question and its sleep holds it.
  {
    const std::lock_guard lock(mutex_);
  }
  stepped_.notify_all();
}

}  // namespace agentsh::audit
