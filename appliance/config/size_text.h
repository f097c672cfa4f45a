// Amounts of bytes as people write them: "10MB", "512K", "1GiB", "4096". K, M and G are powers of
// 1024 with or without "B" or "iB", as agentsh reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::config {

// Nothing for anything else, overflow included.
std::optional<std::uint64_t> parse_size(std::string_view text);

// The shortest text that parse_size() reads back as `bytes`: "10MB", "1536KB", "100".
std::string format_size(std::uint64_t bytes);

}  // namespace agentsh::config
