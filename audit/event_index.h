// Finding events: an SQLite database beside the log that tells where each event's line is.
//
// It follows the log by itself, from a position that it keeps, so being behind, being killed and
// being deleted are the same thing to it: catch_up() reads on from where it stands. A damaged
// database is made anew. Events are always read from the log itself, so the index can be wrong
// about which events match, never about what they say.
//
// Several processes may use one index at once (WAL mode): the daemon that writes the log and
// `agentsh events query --direct-db`.
//
// Threads: one at a time.
#pragma once

#include "audit/recorded_event.h"
#include "base/result.h"
#include "base/time_format.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::audit {

// Which events. Empty members do not restrict. The *_like members are SQL LIKE patterns (% and _,
// with \ to escape, ASCII letters in either case); one without % matches anywhere in the text.
struct EventQuery {
  std::string session_id;
  std::vector<std::string> types;
  std::string decision;  // What the rule said, or what was done in the end.
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  std::string path_like;
  std::string domain_like;  // The domain or the remote address.
  std::string text_like;    // The whole JSON.
  std::size_t limit = 200;
  std::size_t offset = 0;
  bool ascending = false;  // Oldest first.
};

struct EventPage {
  std::vector<RecordedEvent> events;
  bool complete = true;  // False when the index had not seen the whole log.
};

class EventIndex {
 public:
  // Opens or makes the index of the log in `directory`. Without write access it is opened for
  // reading only: then catch_up() does nothing and query() finds what is indexed.
  static Result<EventIndex> open(const std::string& directory);
  static std::string file_in(const std::string& directory);

  EventIndex(EventIndex&&) noexcept;
  EventIndex& operator=(EventIndex&&) noexcept;
  ~EventIndex();

  // Reads what the log has beyond the index, until `deadline`. True when it has seen all of it.
  Result<bool> catch_up(std::chrono::steady_clock::time_point deadline);
  // What matches, as far as the index has come.
  Result<EventPage> query(const EventQuery& query);

 private:
  struct State;
  explicit EventIndex(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::audit
