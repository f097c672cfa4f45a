// Puts the log on disk from a thread of its own, so that the writer, and with it every producer
// whose ring would fill, never waits for a disk that has much to do.
//
// One job at a time: fdatasync(2) of the segment as it was, then the side-car that speaks of it.
//
// Threads: everything by the writer. Errors come with result().
#pragma once

#include "audit/chain.h"
#include "audit/signals.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace agentsh::audit {

struct SyncJob {
  UniqueFd segment;
  std::string path;  // Of the segment, for messages.
  ChainHead head;    // What the segment holds at least.
};

class LogSyncer {
 public:
  // `doorbell` is rung when a job is done.
  LogSyncer(std::string directory, ChainKey key, Doorbell& doorbell);
  ~LogSyncer();

  // Precondition: idle.
  void start(SyncJob job);
  bool idle();
  void wait_until_idle();
  // How the last job ended, once; nothing while it runs and after it was asked for.
  std::optional<Result<>> result();

 private:
  void run();
  Result<> carry_out(const SyncJob& job) const;

  const std::string directory_;
  const ChainKey key_;
  Doorbell& doorbell_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<SyncJob> job_;  // Waiting or being carried out.
  std::optional<Result<>> result_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace agentsh::audit
