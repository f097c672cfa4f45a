#include "proxy/gateway/usage_report.h"

#include "proxy/llm/prices.h"

#include <algorithm>
#include <array>

namespace agentsh::gateway {
namespace {

constexpr std::array<std::string_view, 4> kGroups = {"model", "session", "key", "day"};

}  // namespace

std::optional<GroupBy> parse_group_by(std::string_view text) {
  const auto found = std::ranges::find(kGroups, text);
  if (found == kGroups.end()) return {};
  return static_cast<GroupBy>(found - kGroups.begin());
}

std::string_view to_string(GroupBy group) {
  return kGroups[static_cast<std::size_t>(group)];
}

void write_sums(const UsageSums& sums, JsonWriter& json) {
  json.field("requests", sums.requests)
      .field("refused", sums.refused)
      .field("errors", sums.errors)
      .field("interrupted", sums.interrupted)
      .field("input_tokens", sums.input)
      .field("cache_read_tokens", sums.cache_read)
      .field("cache_write_tokens", sums.cache_write)
      .field("output_tokens", sums.output)
      .field("reasoning_tokens", sums.reasoning)
      .field("cost", llm::format_dollars(static_cast<std::uint64_t>(sums.nano_dollars)))
      .field("cost_nano_dollars", sums.nano_dollars)
      .field("unpriced_requests", sums.unpriced)
      .field("requests_of_unknown_usage", sums.unknown_usage)
      .field("requests_with_redactions", sums.redacted);
}

std::string to_json(const UsageReport& report) {
  JsonWriter json;
  json.begin_object().field("by", to_string(report.query.by));
  if (report.query.since) json.field("since", format_rfc3339(*report.query.since));
  if (report.query.until) json.field("until", format_rfc3339(*report.query.until));
  json.field("currency", "USD").key("rows").begin_array();
  for (const UsageReport::Row& row : report.rows) {
    json.begin_object().field(to_string(report.query.by), row.name);
    json.optional_field("provider", row.provider);
    write_sums(row.sums, json);
    json.end_object();
  }
  json.end_array().key("totals").begin_object();
  write_sums(report.totals, json);
  json.end_object().key("unpriced").begin_array();
  for (const UsageReport::Unpriced& one : report.unpriced) {
    json.begin_object().field("provider", one.provider).field("model", one.model);
    json.field("requests", one.requests).field("tokens", one.tokens).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace agentsh::gateway
