// How much of a peer's message is held or accepted. Each is far above what real programs send and
// far below what would hurt.
#pragma once

#include <cstddef>

namespace agentsh::http {

inline constexpr std::size_t kMaxHeadBytes = 64 << 10;
inline constexpr std::size_t kMaxFields = 200;
inline constexpr std::size_t kMaxMethodBytes = 32;
inline constexpr unsigned kMaxConnectionTokens = 64;  // Each is looked up among the fields.

// One chunk-size line with its extension, and the extensions of one message together: a peer that
// wraps each byte into kilobytes of extension makes us work without sending content.
inline constexpr std::size_t kMaxChunkLineBytes = 256;
inline constexpr std::size_t kMaxChunkExtensionTotal = 8 << 10;
inline constexpr std::size_t kMaxTrailerBytes = 8 << 10;

// Interim (1xx) responses before the final one.
inline constexpr unsigned kMaxInterimResponses = 16;

}  // namespace agentsh::http
