// How producers and the writer wait for each other without a system call while both are busy.
//
// Both follow one pattern: whoever is going to sleep announces it, then looks once more; whoever
// has news looks for the announcement after publishing them. All four accesses are sequentially
// consistent, so at least one side sees the other.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace agentsh::audit {

// Wakes the writer. Any number of threads ring, one waits.
class Doorbell {
 public:
  static Result<Doorbell> create();
  Doorbell(Doorbell&& other) noexcept : fd_(std::move(other.fd_)) {}

  // After something was published: a system call only when the writer announced that it sleeps.
  void ring_if_asleep() {
    if (asleep_.load(std::memory_order_seq_cst)) ring();
  }
  // Cuts the writer's wait short in any case.
  void ring();

  // The writer is about to sleep until something is published. It must look for work once more
  // between this and wait().
  void announce_sleep() { asleep_.store(true, std::memory_order_seq_cst); }
  // Waits until the bell rings, at most `limit`. Ends an announced sleep.
  void wait(std::chrono::milliseconds limit);

 private:
  explicit Doorbell(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::atomic<bool> asleep_ = false;
  std::atomic<bool> rung_ = false;
};

// Wakes whoever waits for the writer: for room in a ring, or for its own events to be in the log.
class Progress {
 public:
  // Waits until `reached` is true, at most `limit`; asks again after each step of the writer.
  // Returns the last answer.
  bool wait(std::chrono::milliseconds limit, const std::function<bool()>& reached);
  // The writer made a step.
  void step();

 private:
  std::atomic<int> waiting_ = 0;
  std::mutex mutex_;
  std::condition_variable stepped_;
};

}  // namespace agentsh::audit
