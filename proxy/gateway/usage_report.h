// Sums over the ledger: what was used, by whom, for how much; and what could not be priced.
#pragma once

#include "base/json_writer.h"
#include "base/result.h"
#include "base/time_format.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::gateway {

enum class GroupBy : std::uint8_t { kModel, kSession, kKey, kDay };
std::optional<GroupBy> parse_group_by(std::string_view text);
std::string_view to_string(GroupBy group);

struct UsageQuery {
  GroupBy by = GroupBy::kModel;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  // Only this one's; empty: all.
  std::string session;
  std::string key;
};

struct UsageSums {
  std::int64_t requests = 0;  // Forwarded.
  std::int64_t refused = 0;   // By us.
  std::int64_t errors = 0;    // Answered with a status of 400 and above, or not at all.
  std::int64_t interrupted = 0;
  std::int64_t input = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;
  std::int64_t output = 0;
  std::int64_t reasoning = 0;
  std::int64_t nano_dollars = 0;
  std::int64_t unpriced = 0;       // Requests whose tokens have no price.
  std::int64_t unknown_usage = 0;  // Successful requests of which the tokens are not known.
  std::int64_t redacted = 0;       // Requests in which something was replaced.
};

struct UsageReport {
  struct Row {
    std::string name;      // Of the model, session, key or day ("2026-11-24").
    std::string provider;  // Of models.
    UsageSums sums;
  };
  struct Unpriced {
    std::string provider;
    std::string model;
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
  };
  UsageQuery query;
  std::vector<Row> rows;
  UsageSums totals;
  std::vector<Unpriced> unpriced;
};

// {"by","since","until","currency":"USD","rows":[...],"totals":{...},"unpriced":[...]}
std::string to_json(const UsageReport& report);
// The members of one sum, into an object that is open.
void write_sums(const UsageSums& sums, JsonWriter& json);

}  // namespace agentsh::gateway
