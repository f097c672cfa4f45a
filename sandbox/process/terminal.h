// A new pseudoterminal for a command (pty(7)).
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>

namespace agentsh::sandbox {

struct Terminal {
  UniqueFd master;
  UniqueFd slave;
};

// From the multiplexer at that path, of that size in characters; nobody's controlling terminal yet.
Result<Terminal> open_terminal(const char* multiplexer, std::uint16_t rows, std::uint16_t columns);

}  // namespace agentsh::sandbox
