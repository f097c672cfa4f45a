#include "policies/cidr_index.h"

#include <algorithm>

namespace agentsh::policy {

CidrIndex::Key CidrIndex::key_of(const IpAddress& address) {
  Key key{0, 0};
  const auto& bytes = address.bytes();
  for (std::size_t i = 0; i < 8; ++i) key.high = key.high << 8 | bytes[i];
  for (std::size_t i = 8; i < 16; ++i) key.low = key.low << 8 | bytes[i];
  return key;
}

CidrIndex::Range CidrIndex::range_of(const Entry& entry) {
  const int bits = entry.cidr.prefix + (entry.cidr.network.is_v4() ? 96 : 0);
  Range range{key_of(entry.cidr.network), key_of(entry.cidr.network), entry.id};
  const auto ones = [](int count) {  // `count` one bits at the low end.
    return count <= 0 ? 0 : count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  };
  range.last.high |= ones(64 - bits);
  range.last.low |= ones(128 - bits);
  return range;
}

void CidrIndex::Table::add(Key first, const std::vector<const Range*>& around,
                           std::uint32_t id_bound) {
  const IdSet* found = nullptr;
  if (!around.empty()) {
    std::vector<std::uint32_t> ids;
    ids.reserve(around.size());
    for (const Range* range : around) ids.push_back(range->id);
    found = &sets_.emplace_back(std::move(ids), id_bound);
  }
  if (!starts_.empty() && starts_.back() == first) {
    found_.back() = found;
    return;
  }
  starts_.push_back(first);
  found_.push_back(found);
}

CidrIndex::Table::Table(std::vector<Range> ranges, std::uint32_t id_bound) {
  // Outer networks before the inner ones that begin at the same address.
  std::ranges::sort(ranges, [](const Range& a, const Range& b) {
    return a.first != b.first ? a.first < b.first : b.last < a.last;
  });
  std::vector<const Range*> around;  // The networks that are open, outermost first.
  const auto close_before = [&](const Key* next) {
    while (!around.empty() && (next == nullptr || around.back()->last < *next)) {
      const Key last = around.back()->last;
      while (!around.empty() && around.back()->last == last) around.pop_back();
      const bool at_end = last.high == ~std::uint64_t{0} && last.low == ~std::uint64_t{0};
      if (at_end) continue;
      add({last.low == ~std::uint64_t{0} ? last.high + 1 : last.high, last.low + 1}, around,
          id_bound);
    }
  };
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    close_before(&ranges[i].first);
    around.push_back(&ranges[i]);
    const bool same_next = i + 1 < ranges.size() && ranges[i + 1].first == ranges[i].first;
    if (!same_next) add(ranges[i].first, around, id_bound);
  }
  close_before(nullptr);
}

const IdSet* CidrIndex::Table::find(const Key& key) const {
  const auto after = std::ranges::upper_bound(starts_, key);
  if (after == starts_.begin()) return nullptr;
  return found_[static_cast<std::size_t>(after - starts_.begin()) - 1];
}

CidrIndex::CidrIndex(std::vector<Entry> entries, std::uint32_t id_bound) {
  std::vector<Range> v4;
  std::vector<Range> v6;
  for (const Entry& entry : entries) {
    (entry.cidr.network.is_v4() ? v4 : v6).push_back(range_of(entry));
  }
  v4_ = Table(std::move(v4), id_bound);
  v6_ = Table(std::move(v6), id_bound);
}

const IdSet* CidrIndex::find(const IpAddress& address) const {
  return (address.is_v4() ? v4_ : v6_).find(key_of(address));
}

}  // namespace agentsh::policy
