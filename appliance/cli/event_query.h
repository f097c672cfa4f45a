// `agentsh events query`: the filters, the output, and the way that reads the log's files directly
// (--direct-db), with or without a daemon writing them.
//
// Exit codes: 0 done, 1 the query failed, 2 the arguments are wrong.
#pragma once

#include "audit/event_index.h"
#include "base/result.h"

#include <span>
#include <string>
#include <variant>

namespace agentsh::cli {

struct EventQueryArguments {
  audit::EventQuery query;
  bool direct_db = false;
  std::string directory;  // Of the log, for direct_db.
  bool table = false;     // Aligned columns for people; else one JSON object per line.
};

// Reads what follows `agentsh events query`. An exit code instead when that is all there is to do:
// help was asked for (0), or the arguments are wrong (2, explained on standard error).
std::variant<EventQueryArguments, int> parse_event_query(std::span<const std::string> args,
                                                         const std::string& default_directory);

// To standard output.
void print_events(std::span<const audit::RecordedEvent> events, bool table);

// Runs the query on the files themselves and prints what it found. Without --direct-db it refuses:
// asking the daemon is the caller's part.
int run_events_query(std::span<const std::string> args, const std::string& default_directory);
// The same for arguments that were parsed.
int run_direct_query(const EventQueryArguments& arguments);

}  // namespace agentsh::cli
