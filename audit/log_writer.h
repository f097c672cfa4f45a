// The growing end of the log: chains events into a batch, writes the batch to the current segment,
// rotates, and keeps the two head notes (side_car.h) true.
//
// Errors: commit(), rotate() and sync() can fail for lack of space and be called again; nothing
// that was added is lost by that, and the chain in memory stays in step with what is written.
//
// Threads: belongs to the writer thread.
#pragma once

#include "audit/chain.h"
#include "audit/log_recovery.h"
#include "audit/log_syncer.h"
#include "audit/segments.h"
#include "audit/side_car.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::audit {

class LogWriter {
 public:
  // Goes on after `state`. In an empty directory the side-car is there before the first segment, so
  // a log without one is always somebody's doing.
  static Result<LogWriter> open(const std::string& directory, ChainKey key, const LogState& state);

  // Chains `json` to the batch and returns its sequence.
  std::uint64_t add(std::string_view json);
  std::size_t batch_bytes() const { return batch_.size() - written_; }
  // Writes the batch. After an error the rest of it is written by the next call.
  Result<> commit();

  // Begins the next segment. Precondition: the batch is empty.
  Result<> rotate();
  // Puts what was committed on disk, then the side-car. No job of begin_sync() may be running: it
  // would put back an older side-car.
  Result<> sync();
  // The same as a job for a LogSyncer. Counts as done; say so when it was not.
  Result<SyncJob> begin_sync();
  void sync_failed() { unsynced_ = true; }
  // Something was committed since the last sync.
  bool unsynced() const { return unsynced_; }
  Result<ChainKey> copy_key() const { return key_.copy(); }

  // Of what was committed.
  const ChainHead& head() const { return committed_; }
  const SegmentFile& segment() const { return segment_; }
  // Size of the segment once the batch is written.
  std::uint64_t segment_bytes() const { return segment_.size() + batch_bytes(); }
  // Time of the segment's first event, in nanoseconds since 1970; nothing while it is empty.
  std::optional<std::int64_t> segment_began() const { return segment_began_; }

 private:
  LogWriter(std::string directory, ChainKey key, ChainHead head, SegmentFile segment,
            LiveHead live_head)
      : directory_(std::move(directory)),
        key_(std::move(key)),
        built_(head),
        committed_(head),
        segment_(std::move(segment)),
        live_head_(std::move(live_head)) {}

  std::string directory_;
  ChainKey key_;
  ChainHead built_;      // With the batch.
  ChainHead committed_;  // Without it.
  SegmentFile segment_;
  LiveHead live_head_;
  TextBuffer batch_;
  std::size_t written_ = 0;  // Of batch_.
  bool unsynced_ = false;
  std::optional<std::int64_t> segment_began_;
};

}  // namespace agentsh::audit
