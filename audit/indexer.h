// The thread that keeps the index up with the log, in idle time while it is not far behind, and the
// place where the recorder's own process asks it questions.
//
// Threads: notify() and query() from any; they do not wait for the thread except while it is inside
// one short transaction.
#pragma once

#include "audit/event_index.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace agentsh::audit {

class Indexer {
 public:
  explicit Indexer(std::string directory);
  ~Indexer();

  // The log has grown.
  void notify();
  // Brings the index up to date first, for up to two seconds.
  Result<EventPage> query(const EventQuery& query);

 private:
  void run();
  Result<> follow();
  Result<EventIndex*> index();

  const std::string directory_;
  std::mutex index_mutex_;
  std::optional<EventIndex> opened_;  // Guarded by index_mutex_; opened when it is first needed.

  std::mutex mutex_;
  std::condition_variable changed_;
  bool grown_ = true;
  std::atomic<bool> stopping_ = false;  // Written under mutex_.
  std::thread thread_;
};

}  // namespace agentsh::audit
