#include "proxy/net/descriptor_reserve.h"

#include <sys/resource.h>

#include <algorithm>

namespace agentsh::net {

bool is_in_reserve(int descriptor, DescriptorUse use) {
  constexpr rlim_t kMostReserved = 1024;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  const rlim_t reserve = std::min(kMostReserved, limit.rlim_cur / 4);
  const rlim_t kept = use == DescriptorUse::kAccepted ? reserve : reserve / 2;
  return static_cast<rlim_t>(descriptor) >= limit.rlim_cur - kept;
}

}  // namespace agentsh::net
