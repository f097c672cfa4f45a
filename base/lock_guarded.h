// A value that can be reached only while its mutex is held.
//
//   LockGuarded<std::map<Id, Session>> sessions;
//   sessions.lock()->erase(id);
#pragma once

#include <mutex>
#include <utility>

namespace agentsh {

template <class T>
class LockGuarded {
 public:
  class Access {
   public:
    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }

   private:
    friend LockGuarded;
    Access(T* value, std::mutex& mutex) : value_(value), lock_(mutex) {}
    T* value_;
    std::unique_lock<std::mutex> lock_;
  };

  LockGuarded() = default;
  explicit LockGuarded(T value) : value_(std::move(value)) {}

  // The value, locked until the returned object goes.
  [[nodiscard]] Access lock() { return Access(&value_, mutex_); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace agentsh
