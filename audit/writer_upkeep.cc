// What the writer does beside writing: syncing, rotating, deleting old segments, and waiting for a
// disk that refuses.
#include "audit/writer.h"
#include "base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace agentsh::audit {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kNotSynced = "the log cannot be put on disk";
constexpr milliseconds kFirstBackoff{20};
constexpr milliseconds kLongestBackoff{1000};
constexpr std::chrono::hours kRemovalInterval{1};
// With a retention, segments are closed at least this often, so that they can expire.
constexpr std::chrono::hours kLongestSegment{24};
// Without a wish for syncing the side-car is renewed this often, so that a start need not read much
// of the log.
constexpr std::chrono::minutes kRareSync{1};

}  // namespace

bool Writer::tend() {
  if (!sync_when_due()) return false;
  if (Clock::now() < next_removal_) return true;
  next_removal_ = Clock::now() + kRemovalInterval;
  if (const auto began = log_.segment_began(); began && parts_.options.retention_days > 0) {
    const auto age =
        std::chrono::system_clock::now().time_since_epoch() - std::chrono::nanoseconds(*began);
    if (age > kLongestSegment && !rotate("age")) return false;
  }
  return remove_old_segments();
}

bool Writer::sync_when_due() {
  take_sync_result();
  if (!log_.unsynced() || Clock::now() < next_sync_ || !syncer_.idle()) return true;
  if (!log_.segment().in_place()) {
    log_error("audit", "{} was removed or replaced while it was written", log_.segment().path());
    if (!rotate("segment_lost") || !commit()) return false;
  }
  const bool often = parts_.options.fsync != Fsync::kNever;
  next_sync_ = Clock::now() + (often ? parts_.options.fsync_interval : milliseconds(kRareSync));
  if (auto job = log_.begin_sync()) {
    syncer_.start(std::move(*job));
  } else {
    begin_failure(sync_failure_, job.error(), kNotSynced);
  }
  return true;
}

void Writer::take_sync_result() {
  const auto result = syncer_.result();
  if (!result) return;
  if (!*result) {
    log_.sync_failed();
    begin_failure(sync_failure_, result->error(), kNotSynced);
  } else {
    end_failure(sync_failure_);
  }
}

bool Writer::sync_now() {
  syncer_.wait_until_idle();
  take_sync_result();
  if (const auto synced = log_.sync(); !synced) {
    begin_failure(sync_failure_, synced.error(), kNotSynced);
    return false;
  }
  end_failure(sync_failure_);
  return true;
}

bool Writer::rotate(std::string_view reason) {
  const std::uint32_t from = log_.segment().number();
  const ChainHead head = log_.head();
  syncer_.wait_until_idle();
  for (;;) {
    const auto rotated = log_.rotate();
    if (rotated) break;
    if (!wait_out(rotated.error())) return false;
  }
  end_failure(write_failure_);
  Event event("integrity_chain_rotated");
  event.field("reason", std::string(reason))
      .field("from_segment", segment_name(from))
      .field("to_segment", segment_name(log_.segment().number()))
      .field("previous_sequence", static_cast<std::int64_t>(head.sequence))
      .field("previous_hash", std::string(as_view(head.hash)));
  add_own(std::move(event));
  next_removal_ = Clock::now();
  return true;
}

// How many of the oldest segments are to go. The one that is written stays.
std::size_t Writer::count_outdated(const std::vector<std::uint32_t>& segments,
                                   std::string& reason) const {
  const std::size_t most = parts_.options.max_segments;
  std::size_t outdated = 0;
  if (most > 0 && segments.size() > most) {
    outdated = segments.size() - most;
    reason = "max_segments";
  }
  if (parts_.options.retention_days == 0) return outdated;
  const std::time_t oldest_allowed =
      ::time(nullptr) - std::time_t{86400} * parts_.options.retention_days;
  for (std::size_t i = outdated; i + 1 < segments.size(); ++i) {
    struct stat info{};
    const std::string path = segment_path(parts_.options.directory, segments[i]);
    if (::stat(path.c_str(), &info) != 0 || info.st_mtime >= oldest_allowed) break;
    outdated = i + 1;
    reason = "retention_days";
  }
  return outdated;
}

bool Writer::remove_old_segments() {
  const auto segments = list_segments(parts_.options.directory);
  if (!segments) return true;
  std::string reason;
  const std::size_t outdated = count_outdated(*segments, reason);
  if (outdated == 0) return true;
  // The log says so before it is done: a segment that is missing without such a line was taken.
  Event event("audit_segments_removed");
  event.field("reason", reason)
      .field("removed", static_cast<std::int64_t>(outdated))
      .field("oldest_segment", std::int64_t{(*segments)[outdated]});
  add_own(std::move(event));
  if (!commit()) return false;
  for (std::size_t i = 0; i < outdated; ++i) {
    const std::string path = segment_path(parts_.options.directory, (*segments)[i]);
    if (::unlink(path.c_str()) != 0) {
      log_warning("audit", "{}", errno_error("remove", path).what);
    }
  }
  return true;
}

// Waits before the next attempt. False when there is to be none.
bool Writer::wait_out(const Error& error) {
  Failure& failure =
      begin_failure(write_failure_, error, "events cannot be written and wait in memory");
  if (stopping_.load(std::memory_order_seq_cst)) return false;
  const auto end = Clock::now() + failure.backoff;
  failure.backoff = std::min(2 * failure.backoff, kLongestBackoff);
  for (auto now = Clock::now(); now < end && !stopping_.load(); now = Clock::now()) {
    parts_.doorbell.wait(std::chrono::ceil<milliseconds>(end - now));
  }
  return true;
}

Writer::Failure& Writer::begin_failure(std::optional<Failure>& failure, const Error& error,
                                       std::string_view what) {
  if (!failure) {
    log_error("audit", "{}: {}", what, error.what);
    failure.emplace(Failure{.began = Clock::now(), .error = error.what, .backoff = kFirstBackoff});
  }
  ++failure->attempts;
  failing_.store(true, std::memory_order_relaxed);
  progress_.step();
  return *failure;
}

void Writer::end_failure(std::optional<Failure>& failure) {
  if (!failure) return;
  Failure ended = std::move(*failure);
  failure.reset();
  ended.duration = Clock::now() - ended.began;
  ended.ended_stamp = static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  ended.delayed += ring_records_in_batch_;
  if (ended_failure_) {
    // One that is not reported yet: told as one.
    ended.duration = std::max(ended.duration, ended_failure_->duration);
    ended.attempts += ended_failure_->attempts;
    ended.delayed = std::max(ended.delayed, ended_failure_->delayed);
    ended.error = ended_failure_->error;
  }
  ended_failure_ = std::move(ended);
  const bool failing = write_failure_.has_value() || sync_failure_.has_value();
  failing_.store(failing, std::memory_order_relaxed);
  if (!failing) log_info("audit", "events are written again");
}

}  // namespace agentsh::audit
