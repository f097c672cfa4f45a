// The identifier of this run of the kernel (/proc/sys/kernel/random/boot_id): whether page cache
// contents that were never written to disk can still be relied on.
#pragma once

#include <array>

namespace agentsh::audit {

using BootId = std::array<char, 36>;

// Read once per process. All zeros when /proc does not tell: then nothing counts as this boot.
const BootId& current_boot_id();
inline bool is_current_boot(const BootId& id) {
  return id == current_boot_id() && id != BootId{};
}

}  // namespace agentsh::audit
