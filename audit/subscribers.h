// Those who hear every event as it is written.
//
// Threads: add() and the end of a subscription from any thread, deliver() from the writer's. A
// subscription ends when its token is destroyed; that waits for a running call, unless it is the
// call itself that destroys the token.
#pragma once

#include "audit/recorded_event.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace agentsh::audit {

class Subscription;

class Subscribers : public std::enable_shared_from_this<Subscribers> {
 public:
  using Callback = std::function<void(const RecordedEvent&)>;

  std::shared_ptr<Subscription> add(Callback callback);
  bool any() const { return count_.load(std::memory_order_relaxed) > 0; }
  void deliver(const RecordedEvent& event);

 private:
  friend class Subscription;
  void remove(const Subscription* token);

  struct Entry {
    const Subscription* token;  // nullptr once ended.
    Callback callback;
  };
  // Recursive: a callback may end its own subscription.
  std::recursive_mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;
  bool delivering_ = false;
  std::atomic<std::size_t> count_ = 0;
};

// The token of one subscription. Destroy it to end it.
class Subscription {
 public:
  explicit Subscription(std::shared_ptr<Subscribers> owner) : owner_(std::move(owner)) {}
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription() { owner_->remove(this); }

 private:
  std::shared_ptr<Subscribers> owner_;
};

}  // namespace agentsh::audit
