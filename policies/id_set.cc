#include "policies/id_set.h"

namespace agentsh::policy {

IdSet::IdSet(std::vector<std::uint32_t> ids, std::uint32_t bound) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  size_ = static_cast<std::uint32_t>(ids.size());
  if (size_ <= kInside) {
    std::ranges::copy(ids, inside_.begin());
    return;
  }
  ids.shrink_to_fit();
  outside_ = std::move(ids);
  constexpr std::size_t kLarge = 32;  // Beyond it a bit test beats the search.
  if (size_ < kLarge || size_ < bound / 256) return;
  bits_.resize(bound / 64 + 1);
  for (std::uint32_t id : outside_) bits_[id / 64] |= std::uint64_t{1} << (id % 64);
}

}  // namespace agentsh::policy
