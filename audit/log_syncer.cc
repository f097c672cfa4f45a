#include "audit/log_syncer.h"

#include "audit/side_car.h"

#include <unistd.h>

#include <utility>

namespace agentsh::audit {

LogSyncer::LogSyncer(std::string directory, ChainKey key, Doorbell& doorbell)
    : directory_(std::move(directory)),
      key_(std::move(key)),
      doorbell_(doorbell),
      thread_(&LogSyncer::run, this) {}

LogSyncer::~LogSyncer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LogSyncer::start(SyncJob job) {
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
  }
  changed_.notify_all();
}

bool LogSyncer::idle() {
  const std::lock_guard lock(mutex_);
  return !job_.has_value();
}

void LogSyncer::wait_until_idle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !job_.has_value(); });
}

std::optional<Result<>> LogSyncer::result() {
  const std::lock_guard lock(mutex_);
  return std::exchange(result_, std::nullopt);
}

void LogSyncer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return job_.has_value() || stopping_; });
    if (!job_) return;
    lock.unlock();
    // Nobody touches the job while it is there.
    Result<> done = carry_out(*job_);
    lock.lock();
    job_.reset();
    result_ = std::move(done);
    changed_.notify_all();
    doorbell_.ring();
  }
}

Result<> LogSyncer::carry_out(const SyncJob& job) const {
  if (::fdatasync(job.segment.get()) != 0) {
    return std::unexpected(errno_error("fdatasync", job.path));
  }
  return write_side_car(directory_, key_, job.head);
}

}  // namespace agentsh::audit
