#include "proxy/llm/prices.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentsh::llm {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

// "YYYY-MM-DD", "YYYYMMDD" of this century.
bool is_date(std::string_view text) {
  if (!text.starts_with("20")) return false;
  if (text.size() == 8) return all_digits(text);
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && all_digits(text.substr(0, 4)) &&
         all_digits(text.substr(5, 2)) && all_digits(text.substr(8));
}

// "v1", "v1:0".
bool is_revision(std::string_view text) {
  if (!text.starts_with('v')) return false;
  const std::size_t colon = text.find(':');
  return all_digits(text.substr(1, colon - 1)) &&
         (colon == std::string_view::npos || all_digits(text.substr(colon + 1)));
}

bool cut_suffix(std::string_view& model) {
  for (std::size_t size : {std::size_t{10}, std::size_t{8}}) {
    if (model.size() <= size + 1 || !is_date(model.substr(model.size() - size))) continue;
    const char before = model[model.size() - size - 1];
    if (before != '-' && before != '@') continue;
    model.remove_suffix(size + 1);
    return true;
  }
  const std::size_t dash = model.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return false;
  const std::string_view last = model.substr(dash + 1);
  if (last != "latest" && !is_revision(last)) return false;
  model.remove_suffix(last.size() + 1);
  return true;
}

void cut_region(std::string_view& model) {
  static constexpr std::array<std::string_view, 10> kRegions = {
      "us.", "eu.", "apac.", "global.", "jp.", "au.", "ca.", "sa.", "us-gov.", "uk."};
  for (std::string_view region : kRegions) {
    if (!model.starts_with(region)) continue;
    model.remove_prefix(region.size());
    return;
  }
}

bool matches(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  pattern.remove_prefix(star + 1);
  text.remove_prefix(star);
  if (pattern.empty()) return true;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (matches(pattern, text.substr(at))) return true;
  }
  return false;
}

// How well the entry fits: 0 not at all, else longer patterns more, an exact name most.
std::size_t fit(const PriceEntry& entry, std::string_view provider, std::string_view model) {
  const bool ours = std::ranges::any_of(
      entry.providers, [provider](const std::string& p) { return p == "*" || p == provider; });
  if (!ours) return 0;
  std::size_t best = 0;
  for (const std::string& pattern : entry.models) {
    if (!matches(pattern, model)) continue;
    const bool exact = pattern.find('*') == std::string::npos;
    best = std::max(best, pattern.size() + (exact ? 10'000 : 1));
  }
  return best;
}

bool holds_on(const PriceEntry& entry, std::chrono::sys_days day) {
  return (!entry.from || *entry.from <= day) && (!entry.until || day <= *entry.until);
}

const PriceEntry* best_of(const std::vector<PriceEntry>& entries, std::string_view provider,
                          std::string_view model, std::chrono::sys_days day) {
  const PriceEntry* best = nullptr;
  std::size_t best_fit = 0;
  for (const PriceEntry& entry : entries) {
    if (!holds_on(entry, day)) continue;
    const std::size_t found = fit(entry, provider, model);
    if (found == 0 || found < best_fit) continue;
    const bool later = best != nullptr && entry.from > best->from;
    if (found > best_fit || later) best = &entry;
    best_fit = found;
  }
  return best;
}

Rates over(const Rates& base, const Rates& special) {
  Rates rates = base;
  const auto take = [](std::optional<std::uint64_t>& to, const std::optional<std::uint64_t>& from) {
    if (from) to = from;
  };
  take(rates.input, special.input);
  take(rates.output, special.output);
  take(rates.cache_read, special.cache_read);
  take(rates.cache_write, special.cache_write);
  take(rates.cache_write_hour, special.cache_write_hour);
  take(rates.audio_input, special.audio_input);
  take(rates.audio_output, special.audio_output);
  return rates;
}

// Adds count * rate / divisor exactly; what is left over counts on.
class Sum {
 public:
  void add(std::uint64_t count, std::uint64_t rate, std::uint64_t divisor = kMillion) {
    const std::uint64_t part = count % divisor * rate;  // Below 10^6 * 10^14, which may not fit.
    if (rate != 0 && part / rate != count % divisor) {
      overflow_ = true;
      return;
    }
    whole_ += count / divisor * rate + part / divisor;
    rest_ += part % divisor * (kMillion / divisor);
  }
  std::uint64_t rounded() const { return whole_ + (rest_ + kMillion / 2) / kMillion; }
  bool overflow() const { return overflow_; }

 private:
  std::uint64_t whole_ = 0;
  std::uint64_t rest_ = 0;  // In millionths.
  bool overflow_ = false;
};

bool is_standard(std::string_view tier) {
  static constexpr std::array<std::string_view, 6> kStandard = {
      "", "default", "standard", "auto", "on_demand", "standard_only"};
  return std::ranges::find(kStandard, tier) != kStandard.end();
}

Rates rates_for(const PriceEntry& entry, std::string_view tier, const TokenUsage& usage,
                std::string& note) {
  Rates rates = entry.rates;
  if (entry.above_tokens && usage.input > *entry.above_tokens) rates = over(rates, entry.above);
  if (is_standard(tier)) return rates;
  for (const auto& [name, special] : entry.tiers) {
    if (name == tier) return over(rates, special);
  }
  note = fmt::format("tier {} is priced as standard", tier);
  return rates;
}

}  // namespace

std::string unversioned(std::string_view model) {
  if (const std::size_t slash = model.rfind('/'); slash != std::string_view::npos) {
    model.remove_prefix(slash + 1);
  }
  cut_region(model);
  while (cut_suffix(model)) {
  }
  return std::string(model);
}

const PriceTable& PriceTable::shipped() {
  static const PriceTable kTable = [] {
    PriceTable table;
    // What ships is tested; a table that cannot be read has no prices and says so of every model.
    if (auto entries = parse(kShippedPrices, "prices.yaml")) table.entries_ = std::move(*entries);
    return table;
  }();
  return kTable;
}

Result<std::shared_ptr<const PriceTable>> PriceTable::with_overrides(std::string_view overrides,
                                                                     std::string file_name) {
  auto entries = parse(overrides, std::move(file_name));
  if (!entries) return std::unexpected(entries.error());
  auto table = std::make_shared<PriceTable>(shipped());
  table->overrides_ = std::move(*entries);
  return std::shared_ptr<const PriceTable>(std::move(table));
}

const PriceEntry* PriceTable::find(std::string_view provider, std::string_view model,
                                   std::chrono::sys_days day) const {
  const std::string bare = unversioned(model);
  for (const std::vector<PriceEntry>* entries : {&overrides_, &entries_}) {
    for (std::string_view name : {model, std::string_view(bare)}) {
      if (const PriceEntry* entry = best_of(*entries, provider, name, day)) return entry;
    }
  }
  return nullptr;
}

Cost PriceTable::cost(std::string_view provider, std::string_view model, std::string_view tier,
                      const TokenUsage& usage, std::chrono::sys_days day) const {
  if (!usage.known) return {.nano_dollars = {}, .note = "the provider reported no usage"};
  const PriceEntry* entry = find(provider, model, day);
  if (entry == nullptr) {
    return {.nano_dollars = {},
            .note = fmt::format("no price for model \"{}\" of {}", model, provider)};
  }
  Cost cost;
  const Rates rates = rates_for(*entry, tier, usage, cost.note);
  const auto unpriced = [&cost, model](std::string_view what) {
    cost.note = fmt::format("no price for {} of model \"{}\"", what, model);
    return cost;
  };
  if (usage.output > 0 && !rates.output) return unpriced("output");
  if (usage.searches > 0 && !entry->search) return unpriced("searches");
  const std::uint64_t input = *rates.input;
  const std::uint64_t plain = usage.input - usage.cache_read - usage.cache_write;
  const std::uint64_t audio = std::min(usage.audio_input, plain);
  const std::uint64_t write = rates.cache_write.value_or(input);
  Sum sum;
  sum.add(plain - audio, input);
  sum.add(audio, rates.audio_input.value_or(input));
  sum.add(usage.cache_read, rates.cache_read.value_or(input));
  sum.add(usage.cache_write - usage.cache_write_hour, write);
  sum.add(usage.cache_write_hour, rates.cache_write_hour.value_or(write));
  if (rates.output) {
    sum.add(usage.output - usage.audio_output, *rates.output);
    sum.add(usage.audio_output, rates.audio_output.value_or(*rates.output));
  }
  if (entry->search) sum.add(usage.searches, *entry->search, 1000);
  if (sum.overflow()) return unpriced("so many tokens");
  cost.nano_dollars = sum.rounded();
  return cost;
}

std::string format_dollars(std::uint64_t nano_dollars) {
  return fmt::format("{}.{:09}", nano_dollars / 1'000'000'000, nano_dollars % 1'000'000'000);
}

}  // namespace agentsh::llm
