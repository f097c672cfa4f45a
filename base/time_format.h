// Wall-clock times as text (RFC 3339, UTC) and durations as policies write them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh {

using WallTime = std::chrono::system_clock::time_point;

// "2026-11-24T06:02:25.123456789Z".
std::string format_rfc3339(WallTime time);
// Accepts any offset and fraction; nothing when the text is not a time.
std::optional<WallTime> parse_rfc3339(std::string_view text);

// "30s", "5m", "1h30m", "1.5h", "250ms": a sequence of decimal numbers with the units ns, us, µs,
// ms, s, m, h. A bare "0" is allowed. Nothing for anything else, negative values and overflow
// included.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace agentsh
