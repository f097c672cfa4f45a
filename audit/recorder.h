// Where events go: never lost, never in the way.
//
// record() renders the event and copies it into a ring in a shared file mapping, without a system
// call on the way; a writer thread drains the rings into JSONL segments chained by HMAC (chain.h)
// and feeds subscribers, and an SQLite index follows the segments. The mapping survives `kill -9`:
// what was in it is written, with its original time, by the next open() of the same directory,
// before anything else.
//
// When a ring is full the options say what happens: kBlock makes record() wait for the writer (the
// sandbox slows down), kCount drops the event, counts it, and writes one `audit_dropped` event with
// the count as soon as there is room. When the disk refuses writes, events stay in the rings, the
// condition is logged and retried, and an `audit_write_failed` event tells of it afterwards;
// `deny_on_write_error` makes healthy() false meanwhile, which the gate turns into denials.
//
// Threads: record(), flush(), query() and subscribe() from any thread, not from a subscriber's
// callback; everything else from the owner. A forked child must not use its parent's recorder; it
// may end without harm.
#pragma once

#include "audit/event.h"
#include "audit/event_index.h"
#include "audit/recorded_event.h"
#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace agentsh::audit {

class Subscription;

enum class Backpressure { kBlock, kCount };
// When lines are put on disk (fdatasync). kInterval also bounds how far the side-car is behind;
// kAlways does it before flush() returns; kNever once a minute and at the end.
enum class Fsync { kNever, kInterval, kAlways };

struct RecorderOptions {
  std::string directory;  // Holds ring, segments, side-car and index. Created 0700.
  std::string key_file;   // HMAC key, at least 32 bytes; created 0600 when it does not exist.
  std::size_t ring_bytes = 4 << 20;        // Per thread, rounded up to a power of two.
  std::size_t segment_bytes = 500u << 20;  // A segment is closed at this size ...
  unsigned max_segments = 10;   // ... and the oldest deleted beyond this many; 0 keeps all.
  unsigned retention_days = 0;  // Segments whose last event is older are deleted; 0 keeps all.
  Backpressure backpressure = Backpressure::kBlock;
  Fsync fsync = Fsync::kInterval;
  std::chrono::milliseconds fsync_interval{1000};
  bool deny_on_write_error = false;
  bool index = true;  // Keep the SQLite index; without it query() fails.
};

class Recorder {
 public:
  using Subscription = audit::Subscription;

  // Fails with device_or_resource_busy when another process records there, bad_message when the log
  // was tampered with or belongs to another key (the sentence says what to do), and with what the
  // disk or the key file say.
  static Result<std::unique_ptr<Recorder>> open(RecorderOptions options);
  ~Recorder();  // Writes everything that was recorded. No other thread may record any more.

  void record(Event event);

  // Waits until what this thread recorded before is in the log and was given to subscribers, for
  // answers that carry a command's events. False when that took longer than `limit`, because the
  // disk refuses.
  bool flush(std::chrono::milliseconds limit = std::chrono::seconds(5));

  // False while events cannot be written and the options ask for denial then.
  bool healthy() const;
  // Events can be written, whatever the options say.
  bool writing() const;
  std::uint64_t recorded() const;
  std::uint64_t dropped() const;

  // `callback` gets every event from now on, in chain order, on the writer's thread; it must not
  // block. It ends when the returned token goes, after a running call has returned.
  std::shared_ptr<Subscription> subscribe(std::function<void(const RecordedEvent&)> callback);

  // Finds events, those of this moment included (up to the last millisecond: flush() first where
  // that matters).
  Result<EventPage> query(const EventQuery& query) const;

 private:
  struct State;
  explicit Recorder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::audit
