// What is done to the log before anything is added to it: the lines that were written after the
// last side-car are checked, and a last line that a crash left half-written is completed or cut.
//
// A log that somebody changed or shortened is refused, with a sentence that names the way out: to
// go on would bury the evidence.
#pragma once

#include "audit/chain.h"
#include "audit/event.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace agentsh::audit {

// Which identifiers of logged events are wanted, to recognise events that a killed process had
// logged but not yet taken out of its ring.
struct IdWindow {
  bool wanted = false;
  // Also those of lines not older than this, in nanoseconds since 1970; the lines after the
  // side-car count in any case.
  std::int64_t since = INT64_MAX;
};

struct LogState {
  std::uint32_t segment = 0;  // The last one; 0 when the log is empty.
  ChainHead head;
  std::vector<Event> repairs;  // To be recorded: what was mended.
  std::unordered_set<std::string> recent_ids;
};

// Fails with bad_message when the log is not what its side-car and `key` say.
Result<LogState> recover_log(const std::string& directory, const ChainKey& key, IdWindow window);

// The members that every event of ours begins with, read from a line that may be anything: empty,
// or INT64_MIN, when they are not there. The id is as it stands in the text, with its escapes.
std::string_view line_id(std::string_view line);
std::int64_t line_time(std::string_view line);

}  // namespace agentsh::audit
