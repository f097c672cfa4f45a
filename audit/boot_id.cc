#include "audit/boot_id.h"

#include "base/file_io.h"

#include <algorithm>

namespace agentsh::audit {

const BootId& current_boot_id() {
  static const BootId boot = [] {
    BootId id{};
    const auto text = read_file("/proc/sys/kernel/random/boot_id", 64);
    if (text && text->size() >= id.size()) std::copy_n(text->begin(), id.size(), id.begin());
    return id;
  }();
  return boot;
}

}  // namespace agentsh::audit
