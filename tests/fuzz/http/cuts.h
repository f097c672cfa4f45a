// Divides an input into pieces by a cheap deterministic sequence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace agentsh::http {

inline std::vector<std::string_view> cut(std::string_view text, std::uint32_t seed) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    seed = seed * 1664525 + 1013904223;
    const std::size_t size = std::min<std::size_t>(text.size(), 1 + (seed >> 24) % 17);
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

}  // namespace agentsh::http
