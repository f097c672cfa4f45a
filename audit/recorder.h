// Where events go: never lost, never in the way.
//
// record() renders the event and copies it into a ring in a shared file mapping, without a system
// call on the way; a writer thread drains the rings into JSONL segments chained by HMAC (chain.h)
// and an SQLite index, and feeds subscribers. The mapping survives `kill -9`: what was in it is
// written, with its original time, by the next open() of the same directory, before anything else.
//
// When a ring is full the options say what happens: kBlock makes record() wait for the writer (the
// sandbox slows down), kCount drops the event, counts it, and writes one `audit_dropped` event with
// the count as soon as there is room. When the disk refuses writes, events stay in the rings, the
// condition is logged and retried; `on_write_error: deny` makes healthy() false, which the gate
// turns into denials.
//
// Threads: record() from any thread; everything else from the owner.
#pragma once

#include "audit/event.h"
#include "base/result.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace agentsh::audit {

enum class Backpressure { kBlock, kCount };
enum class Fsync { kNever, kInterval, kAlways };

struct RecorderOptions {
  std::string directory;  // Holds ring, segments, side-car and index. Created 0700.
  std::string key_file;   // HMAC key, at least 32 bytes; created 0600 when it does not exist.
  std::size_t ring_bytes = 4 << 20;        // Per ring.
  std::size_t segment_bytes = 500u << 20;  // A segment is closed at this size ...
  unsigned max_segments = 10;  // ... and the oldest deleted beyond this many; 0 keeps all.
  Backpressure backpressure = Backpressure::kBlock;
  Fsync fsync = Fsync::kInterval;
  std::chrono::milliseconds fsync_interval{1000};
  bool deny_on_write_error = false;
};

// A rendered event as subscribers and queries see it.
struct RecordedEvent {
  std::uint64_t sequence = 0;  // Of the chain.
  std::string session_id;
  std::string command_id;
  std::string type;
  std::string decision;  // policy.decision or empty.
  std::string json;      // Without the integrity member.
};

class Recorder {
 public:
  static Result<std::unique_ptr<Recorder>> open(RecorderOptions options);
  ~Recorder();  // Drains everything that was recorded.

  void record(Event event);

  // Waits until what this thread recorded before is in the log and was given to subscribers. For
  // tests and for answers that carry a command's events.
  void flush();

  // False while events cannot be written and the options ask for denial then.
  bool healthy() const;
  std::uint64_t recorded() const;
  std::uint64_t dropped() const;

  // `callback` gets every event from now on, in chain order, on the writer's thread; it must not
  // block. It ends when the returned token goes, after a running call has returned.
  class Subscription;
  std::shared_ptr<Subscription> subscribe(std::function<void(const RecordedEvent&)> callback);

 private:
  struct State;
  explicit Recorder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::audit
