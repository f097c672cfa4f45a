#include "policies/id_set.h"

namespace agentsh::policy {

IdSet::IdSet(std::vector<std::uint32_t> ids, std::uint32_t bound) : ids_(std::move(ids)) {
  std::ranges::sort(ids_);
  ids_.erase(std::ranges::unique(ids_).begin(), ids_.end());
  ids_.shrink_to_fit();
  constexpr std::size_t kLarge = 32;  // Beyond it a bit test beats the search.
  if (ids_.size() < kLarge || ids_.size() < bound / 256) return;
  bits_.resize(bound / 64 + 1);
  for (std::uint32_t id : ids_) bits_[id / 64] |= std::uint64_t{1} << (id % 64);
}

}  // namespace agentsh::policy
