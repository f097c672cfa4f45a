// The writer thread: takes events out of all rings in the order of their stamps, chains and writes
// them, tells subscribers, and only then frees their place in the rings. Killed at any point it
// loses nothing: what it had written but not freed is recognised by its id at the next start.
//
// It works in passes. After a pass with events it waits a few milliseconds before it looks again,
// so that under load it wakes two hundred times a second and producers make no system calls; a bell
// (a ring half full, flush(), the end) cuts that short.
#pragma once

#include "audit/log_syncer.h"
#include "audit/log_writer.h"
#include "audit/recorder.h"
#include "audit/ring_pool.h"
#include "audit/signals.h"
#include "audit/subscribers.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace agentsh::audit {

class Writer {
 public:
  struct Parts {
    RecorderOptions options;
    LogWriter log;
    std::shared_ptr<RingPool> pool;
    std::shared_ptr<Subscribers> subscribers;
    Doorbell& doorbell;
    ChainKey syncer_key;
    std::unordered_set<std::string> recent_ids;  // Events that need not be written again.
    std::vector<Event> notes;                    // What recovery has to tell.
    std::function<void()> on_commit;
  };

  explicit Writer(Parts parts);
  ~Writer();  // Writes what is there, unless the disk refuses.

  // Returns when what was left by an earlier run is in the log, or cannot be written now.
  void wait_until_caught_up();

  Progress& progress() { return progress_; }
  // Events cannot be written at present.
  bool failing() const { return failing_.load(std::memory_order_relaxed); }
  bool is_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  using Clock = std::chrono::steady_clock;

  // A ring's share of one pass.
  struct Cursor {
    RingSlot* slot;
    std::size_t next;           // In records_.
    std::size_t end;            // In records_.
    std::uint64_t upto;         // Position that is free once all of it is written.
    std::uint64_t release = 0;  // Position to free with the batch; 0: none.
  };
  // An event of the writer's own, which no ring holds.
  struct OwnEvent {
    Event event;
    std::string json;
  };
  // A time during which nothing could be written, or put on disk.
  struct Failure {
    Clock::time_point began;
    std::uint64_t ended_stamp = 0;
    std::chrono::nanoseconds duration{};
    std::int64_t attempts = 0;
    std::int64_t delayed = 0;  // Events that were recorded before it ended.
    std::string error;
    std::chrono::milliseconds backoff{};
    bool reportable = false;  // Every delayed event is written.
  };

  // The loop. Functions that return bool return false when the disk refuses and the recorder is
  // being destroyed: then what is not written stays in the rings.
  void run();
  bool pass(bool& found);
  void rest(bool busy);
  bool work_waits();

  void gather();
  Cursor* earliest();
  bool take(Cursor& cursor);
  void add_own(Event event, std::string id = {});
  void add(const RingRecord& record);
  bool commit_if_due();
  bool commit();
  void deliver();

  // What the writer reports by itself (writer_reports.cc).
  void report_damage(const RingSlot& slot, std::uint64_t bytes);
  void report_drops();
  void report_failure();
  void report_recovery();
  std::uint64_t drops_logged_before(const RingSlot& slot) const;

  // Upkeep (writer_upkeep.cc).
  bool tend();
  bool rotate(std::string_view reason);
  bool remove_old_segments();
  std::size_t count_outdated(const std::vector<std::uint32_t>& segments, std::string& reason) const;
  bool sync_when_due();
  void take_sync_result();
  bool wait_out(const Error& error);
  Failure& begin_failure(std::optional<Failure>& failure, const Error& error,
                         std::string_view what);
  void end_failure(std::optional<Failure>& failure);
  // Puts the log on disk now, in this thread. False when that does not work.
  bool sync_now();

  Parts parts_;
  LogWriter& log_ = parts_.log;
  LogSyncer syncer_;
  Progress progress_;
  std::atomic<bool> failing_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> caught_up_ = false;

  // Of the pass that runs.
  std::vector<RingSlot*> slots_;
  std::vector<RingRecord> records_;
  std::vector<Cursor> cursors_;
  // Of the batch.
  std::deque<OwnEvent> own_events_;
  std::vector<std::pair<RingRecord, std::uint64_t>> to_deliver_;
  std::vector<std::pair<RingSlot*, std::uint64_t>> drops_in_batch_;
  std::int64_t ring_records_in_batch_ = 0;
  RecordedEvent delivered_;

  std::optional<Failure> write_failure_;  // Going on.
  std::optional<Failure> sync_failure_;   // Going on.
  std::optional<Failure> ended_failure_;  // Over, not yet reported.
  std::int64_t recovered_ = 0;
  std::uint64_t own_stamp_ = 0;
  Clock::time_point next_sync_;
  Clock::time_point next_removal_;

  std::thread thread_;
};

}  // namespace agentsh::audit
