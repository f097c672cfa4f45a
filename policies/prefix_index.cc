#include "policies/prefix_index.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace agentsh::policy {

PrefixIndex::PrefixIndex(std::vector<Entry> entries, Direction direction, std::uint32_t id_bound)
    : direction_(direction) {
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return std::tie(a.literal, a.rest, a.id) < std::tie(b.literal, b.rest, b.id);
  });
  for (std::size_t i = 0; i < entries.size();) {
    const std::string_view literal = entries[i].literal;
    Node node{.hash = kSeed,
              .text = static_cast<std::uint32_t>(texts_.size()),
              .length = static_cast<std::uint32_t>(literal.size()),
              .first_rest = static_cast<std::uint32_t>(rests_.size()),
              .rests = 0};
    for (std::size_t j = 0; j < literal.size(); ++j) node.hash = step(node.hash, at(literal, j));
    node.hash = mix(node.hash);
    texts_ += literal;
    while (i < entries.size() && entries[i].literal == literal) {
      const std::uint32_t rest = entries[i].rest;
      std::vector<std::uint32_t> ids;
      for (; i < entries.size() && entries[i].literal == literal && entries[i].rest == rest; ++i) {
        ids.push_back(entries[i].id);
      }
      rests_.push_back({rest, IdSet(std::move(ids), id_bound)});
      ++node.rests;
    }
    lengths_.push_back(node.length);
    nodes_.push_back(node);
  }
  std::ranges::sort(lengths_);
  lengths_.erase(std::ranges::unique(lengths_).begin(), lengths_.end());
  table_.resize(std::bit_ceil(nodes_.size() * 2 + 1));
  filter_.resize(std::bit_ceil(nodes_.size() / 8 + 1));
  for (std::uint32_t node = 0; node < nodes_.size(); ++node) insert(node);
}

void PrefixIndex::insert(std::uint32_t node) {
  const std::uint64_t hash = nodes_[node].hash;
  filter_[hash / 64 % filter_.size()] |= std::uint64_t{1} << (hash % 64);
  std::size_t slot = hash % table_.size();
  while (table_[slot] != 0) slot = (slot + 1) % table_.size();
  table_[slot] = node + 1;
}

const PrefixIndex::Node* PrefixIndex::look_up(std::uint64_t hash, std::string_view text,
                                              std::uint32_t length) const {
  const std::string_view wanted = direction_ == Direction::kForwards
                                      ? text.substr(0, length)
                                      : text.substr(text.size() - length);
  for (std::size_t slot = hash % table_.size(); table_[slot] != 0;
       slot = (slot + 1) % table_.size()) {
    const Node& node = nodes_[table_[slot] - 1];
    if (node.hash == hash && node.length == length &&
        std::string_view(texts_).substr(node.text, length) == wanted) {
      return &node;
    }
  }
  return nullptr;
}

}  // namespace agentsh::policy
