// What the log says about itself: entries that tell of segments deleted on purpose and of a new
// chain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::audit {

inline constexpr std::string_view kSegmentsRemoved = "audit_segments_removed";
inline constexpr std::string_view kChainReset = "integrity_chain_reset";

struct ChainNote {
  bool is_reset = false;
  std::optional<std::uint32_t> oldest_segment;  // Older ones are gone by right.
  std::string reason;
  std::string reason_code;
};

// `payload` is an authentic line's JSON without its closing brace. Empty for ordinary entries, at
// the cost of a short search.
ChainNote read_chain_note(std::string_view payload);

}  // namespace agentsh::audit
