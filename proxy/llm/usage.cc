#include "proxy/llm/usage.h"

#include <algorithm>

namespace agentsh::llm {
namespace {

// More than any context window; a sum of a few of them cannot overflow.
constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 40;

}  // namespace

void UsageCounter::take(Field field, std::uint64_t count) {
  const std::size_t at = static_cast<std::size_t>(field) - kFirst;
  count = std::min(count, kMaxCount);
  counts_[at] = keep_largest_ ? std::max(counts_[at], count) : count;
  seen_ |= 1U << at;
}

TokenUsage UsageCounter::total() const {
  TokenUsage usage;
  usage.known = known();
  usage.cache_read = of(Field::kCacheRead);
  usage.cache_write = std::max(of(Field::kCacheWrite), of(Field::kCacheWriteHour));
  usage.cache_write_hour = of(Field::kCacheWriteHour);
  const bool apart =
      (seen_ & 1U << (static_cast<std::size_t>(Field::kUncachedInput) - kFirst)) != 0;
  usage.input = of(Field::kInputTokens) + of(Field::kMoreInput);
  if (apart) usage.input = of(Field::kUncachedInput) + usage.cache_read + usage.cache_write;
  // Parts are never more than the whole, whatever a server reports.
  usage.input = std::max(usage.input, usage.cache_read + usage.cache_write);
  usage.audio_input = std::min(of(Field::kAudioInput), usage.input);
  usage.reasoning = of(Field::kReasoning) + of(Field::kMoreOutput);
  usage.output = std::max(of(Field::kOutputTokens) + of(Field::kMoreOutput), usage.reasoning);
  usage.audio_output = std::min(of(Field::kAudioOutput), usage.output);
  usage.searches = of(Field::kSearches);
  return usage;
}

}  // namespace agentsh::llm
