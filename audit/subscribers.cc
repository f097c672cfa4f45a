#include "audit/subscribers.h"

#include <algorithm>

namespace agentsh::audit {

std::shared_ptr<Subscription> Subscribers::add(Callback callback) {
  auto token = std::make_shared<Subscription>(shared_from_this());
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::make_unique<Entry>(token.get(), std::move(callback)));
  count_.fetch_add(1, std::memory_order_relaxed);
  return token;
}

void Subscribers::remove(const Subscription* token) {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    if (entry->token == token) entry->token = nullptr;
  }
  count_.fetch_sub(1, std::memory_order_relaxed);
  // During a delivery the list is being walked, perhaps inside this very entry's callback.
  if (!delivering_) std::erase_if(entries_, [](const auto& entry) { return !entry->token; });
}

void Subscribers::deliver(const RecordedEvent& event) {
  const std::lock_guard lock(mutex_);
  delivering_ = true;
  // By index: a callback may subscribe somebody else.
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i]->token != nullptr) entries_[i]->callback(event);
  }
  delivering_ = false;
  std::erase_if(entries_, [](const auto& entry) { return !entry->token; });
}

}  // namespace agentsh::audit
