// Who is told about every question: the composition root writes one `dns_query` event for each,
// through the session's gate.
//
//   void answered(const QueryReport& report) override { gate.record(to_event(report),
//   report.outcome.verdict); }
//
// Threads: the worker that serves the question; must not block.
#pragma once

#include "audit/event.h"
#include "proxy/dns/query.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace agentsh::dns {

struct QueryReport {
  std::string_view session_id;
  const Query& query;
  const Outcome& outcome;
  const policy::Actor& actor;
  std::chrono::nanoseconds latency;
};

// Messages that are no question, counted: a flood of them makes one report a second.
struct MalformedReport {
  std::string_view session_id;
  const policy::Actor& actor;  // Of the last one.
  std::string_view reason;     // Of the last one.
  std::uint64_t count = 0;
};

class QueryObserver {
 public:
  virtual ~QueryObserver() = default;
  virtual void answered(const QueryReport& report) = 0;
  virtual void malformed(const MalformedReport& report) = 0;
};

// The `dns_query` event, without session and policy (the gate adds them).
audit::Event to_event(const QueryReport& report);
// The `dns_redirect` event that stands beside it where a redirect answered.
std::optional<audit::Event> redirect_event(const QueryReport& report);
// The `dns_malformed` event.
audit::Event to_event(const MalformedReport& report);

}  // namespace agentsh::dns
