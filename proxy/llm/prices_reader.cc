// Reading price tables.
#include "policies/yaml_reader.h"
#include "proxy/llm/prices.h"

#include <charconv>
#include <cmath>

namespace agentsh::llm {
namespace {

using policy::Diagnostics;
using policy::Need;
using policy::YamlNode;
using policy::YamlReader;

constexpr double kMaxDollars = 100'000;  // For a million tokens.

void read_rate(YamlReader& reader, std::string_view key, std::optional<std::uint64_t>& out) {
  double dollars = 0;
  if (!reader.number(key, dollars, 0, kMaxDollars)) return;
  out = static_cast<std::uint64_t>(std::llround(dollars * 1e9));
}

void read_rates(YamlReader& reader, Rates& rates) {
  read_rate(reader, "input", rates.input);
  read_rate(reader, "output", rates.output);
  read_rate(reader, "cache_read", rates.cache_read);
  read_rate(reader, "cache_write", rates.cache_write);
  read_rate(reader, "cache_write_hour", rates.cache_write_hour);
  read_rate(reader, "audio_input", rates.audio_input);
  read_rate(reader, "audio_output", rates.audio_output);
}

bool read_number(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// "2026-01-31".
std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' ||
      !read_number(text.substr(0, 4), year) || !read_number(text.substr(5, 2), month) ||
      !read_number(text.substr(8, 2), day)) {
    return {};
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return {};
  return std::chrono::sys_days(date);
}

void read_day(YamlReader& reader, std::string_view key, std::optional<std::chrono::sys_days>& out) {
  std::string text;
  if (!reader.text(key, text)) return;
  out = parse_day(text);
  if (!out) reader.error(key, "must be a day as 2026-01-31");
}

void read_above(YamlReader& reader, PriceEntry& entry) {
  reader.object("above", [&entry](YamlReader& above) {
    std::uint64_t tokens = 0;
    above.require("tokens");
    if (above.integer<std::uint64_t>("tokens", tokens, 1)) entry.above_tokens = tokens;
    read_rates(above, entry.above);
  });
}

PriceEntry read_entry(YamlNode node, const std::string& path, Diagnostics& problems) {
  PriceEntry entry;
  YamlReader reader(node, path, problems);
  reader.texts("providers", entry.providers, Need::kRequired);
  reader.texts("models", entry.models, Need::kRequired);
  read_day(reader, "from", entry.from);
  read_day(reader, "until", entry.until);
  reader.require("input");
  read_rates(reader, entry.rates);
  read_rate(reader, "search", entry.search);
  read_above(reader, entry);
  reader.each_entry("tiers",
                    [&entry, &problems](YamlNode name, YamlNode value, const std::string& where) {
                      Rates rates;
                      YamlReader tier(value, where, problems);
                      read_rates(tier, rates);
                      entry.tiers.emplace_back(name.text(), rates);
                    });
  std::string ignored;
  reader.text("source", ignored);
  return entry;
}

}  // namespace

Result<std::vector<PriceEntry>> PriceTable::parse(std::string_view text, std::string file_name) {
  Diagnostics problems(std::move(file_name));
  std::vector<PriceEntry> entries;
  if (const auto document = policy::YamlDocument::parse(text, problems)) {
    YamlReader root(document->root(), "", problems);
    root.require("prices");
    root.each_item("prices", [&entries, &problems](YamlNode node, const std::string& path) {
      entries.push_back(read_entry(node, path, problems));
    });
  }
  if (!problems.ok()) return std::unexpected(problems.to_error());
  return entries;
}

}  // namespace agentsh::llm
