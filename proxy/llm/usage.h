// Tokens of one exchange, in terms that are the same for every provider.
#pragma once

#include "proxy/llm/field.h"

#include <array>
#include <cstdint>

namespace agentsh::llm {

struct TokenUsage {
  // All input: with what was read from a cache and written to it (as GenAI's
  // gen_ai.usage.input_tokens has it).
  std::uint64_t input = 0;
  std::uint64_t cache_read = 0;  // Parts of `input`.
  std::uint64_t cache_write = 0;
  std::uint64_t cache_write_hour = 0;  // Part of `cache_write`: kept for an hour, not minutes.
  std::uint64_t audio_input = 0;
  std::uint64_t output = 0;     // All output, with reasoning.
  std::uint64_t reasoning = 0;  // Parts of `output`.
  std::uint64_t audio_output = 0;
  std::uint64_t searches = 0;  // Server-side searches, which are charged by the piece.
  // The provider said how many; otherwise all of the above is zero or, in a stream that broke off,
  // what was known so far.
  bool known = false;

  friend bool operator==(const TokenUsage&, const TokenUsage&) = default;
};

// Collects the counts that a response or the events of a stream report. Streams report cumulative
// counts: what comes later replaces what came before, and what a later report leaves out stays.
class UsageCounter {
 public:
  // `keep_largest`: a later count that is smaller does not replace (Anthropic's message_delta may
  // repeat a field as zero).
  explicit UsageCounter(bool keep_largest = false) : keep_largest_(keep_largest) {}

  // Precondition: is_count(field).
  void take(Field field, std::uint64_t count);
  TokenUsage total() const;
  bool known() const { return seen_ != 0; }

 private:
  static constexpr std::size_t kFirst = static_cast<std::size_t>(Field::kInputTokens);
  static constexpr std::size_t kCount = static_cast<std::size_t>(Field::kSearches) + 1 - kFirst;
  std::uint64_t of(Field field) const { return counts_[static_cast<std::size_t>(field) - kFirst]; }

  std::array<std::uint64_t, kCount> counts_{};
  std::uint32_t seen_ = 0;
  bool keep_largest_;
};

}  // namespace agentsh::llm
