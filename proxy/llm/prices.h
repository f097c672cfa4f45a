// What tokens cost. The table ships as prices.yaml, compiled in; a file of the same form overrides
// it entry by entry.
//
//   prices:
//     - providers: [anthropic]         # gen_ai.provider.name; "*": any
//       models: [claude-sonnet-4-5]    # names or globs ("*"); see PriceTable::find()
//       from: 2025-09-29               # first and last day (UTC), both optional
//       until: 2026-12-31
//       input: 3                       # dollars per million tokens
//       output: 15
//       cache_read: 0.30               # absent: as input
//       cache_write: 3.75              # absent: as input
//       cache_write_hour: 6            # absent: as cache_write
//       audio_input: 32                # absent: as input
//       audio_output: 64               # absent: as output
//       search: 10                     # dollars per thousand server-side searches
//       above: {tokens: 200000, input: 6, output: 22.50, cache_read: 0.60, cache_write: 7.50}
//       tiers: {batch: {input: 1.50, output: 7.50}}
//
// Money is counted in whole nano-dollars (10^-9 dollars). Zero is a price only where it is written.
#pragma once

#include "base/result.h"
#include "proxy/llm/usage.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

// Nano-dollars for a million tokens, which is exact for every price with up to nine decimals.
struct Rates {
  std::optional<std::uint64_t> input;
  std::optional<std::uint64_t> output;
  std::optional<std::uint64_t> cache_read;
  std::optional<std::uint64_t> cache_write;
  std::optional<std::uint64_t> cache_write_hour;
  std::optional<std::uint64_t> audio_input;
  std::optional<std::uint64_t> audio_output;
};

struct PriceEntry {
  std::vector<std::string> providers;
  std::vector<std::string> models;
  std::optional<std::chrono::sys_days> from;
  std::optional<std::chrono::sys_days> until;
  Rates rates;
  std::optional<std::uint64_t> search;  // Nano-dollars for a thousand.
  // For requests with more input tokens than this; what it leaves out is as in `rates`.
  std::optional<std::uint64_t> above_tokens;
  Rates above;
  // By service tier.
  std::vector<std::pair<std::string, Rates>> tiers;
};

struct Cost {
  // Nothing: not known, and `note` says why ("no price for model x of y").
  std::optional<std::uint64_t> nano_dollars;
  // Also of a cost that is known: "tier flex is priced as standard".
  std::string note;
};

// Immutable; any thread.
class PriceTable {
 public:
  // The table that is compiled in.
  static const PriceTable& shipped();
  // `overrides` is YAML as above; its entries are asked before those that ship. Errors name file,
  // line, column and key, all of them.
  static Result<std::shared_ptr<const PriceTable>> with_overrides(std::string_view overrides,
                                                                  std::string file_name);

  // The entry for a model on a day. A name matches as it is, then without what only pins a version:
  // a date ("-2024-08-06", "-20250929", "@20250929"), "-latest", "-v1:0", a path ("models/", an
  // ARN) and a region ("us."). Of several the one with the longest pattern, an exact name first;
  // then the one that began last.
  const PriceEntry* find(std::string_view provider, std::string_view model,
                         std::chrono::sys_days day) const;

  // `tier` as the provider's answer names it; empty: standard.
  Cost cost(std::string_view provider, std::string_view model, std::string_view tier,
            const TokenUsage& usage, std::chrono::sys_days day) const;

  std::size_t size() const { return overrides_.size() + entries_.size(); }

 private:
  static Result<std::vector<PriceEntry>> parse(std::string_view text, std::string file_name);

  std::vector<PriceEntry> overrides_;
  std::vector<PriceEntry> entries_;
};

// A model's name without what only pins a version.
std::string unversioned(std::string_view model);

// "0.001234567" dollars.
std::string format_dollars(std::uint64_t nano_dollars);

// prices.yaml, from prices_data.cc.in.
extern const std::string_view kShippedPrices;

}  // namespace agentsh::llm
