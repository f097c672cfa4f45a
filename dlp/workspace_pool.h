// Room to work in that is made once for each thread that works at the same time, and lent.
//
//   WorkspacePool<Workspace> pool;
//   auto workspace = pool.lease([] { return std::make_unique<Workspace>(); });
//   workspace->...
#pragma once

#include "base/lock_guarded.h"

#include <memory>
#include <utility>
#include <vector>

namespace agentsh::dlp {

template <class T>
class WorkspacePool {
 public:
  class Lease {
   public:
    Lease(WorkspacePool& pool, std::unique_ptr<T> value) : pool_(pool), value_(std::move(value)) {}
    ~Lease() { pool_.idle_.lock()->push_back(std::move(value_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    T* operator->() const { return value_.get(); }
    T& operator*() const { return *value_; }

   private:
    WorkspacePool& pool_;
    std::unique_ptr<T> value_;
  };

  template <class Make>
  Lease lease(Make make) {
    std::unique_ptr<T> value;
    if (auto idle = idle_.lock(); !idle->empty()) {
      value = std::move(idle->back());
      idle->pop_back();
    }
    if (!value) value = make();
    return Lease(*this, std::move(value));
  }

 private:
  LockGuarded<std::vector<std::unique_ptr<T>>> idle_;
};

}  // namespace agentsh::dlp
