// SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash whose values tell nothing about what was
// hashed to whoever does not have the key.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace agentsh::dlp {

std::uint64_t siphash(const std::array<std::uint8_t, 16>& key, std::string_view text);

}  // namespace agentsh::dlp
