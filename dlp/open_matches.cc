#include "dlp/open_matches.h"

#include <algorithm>

namespace agentsh::dlp {
namespace {

bool is_word(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_';
}

bool at_boundary(std::string_view text, std::size_t index) {
  return (index > 0 && is_word(text[index - 1])) != is_word(text[index]);
}

}  // namespace

void OpenMatches::add(const PatternShape& shape, std::size_t max_length) {
  const auto base = static_cast<std::uint32_t>(nodes_.size());
  const std::size_t longest = std::min(max_length, shape.max_width);
  longest_ = std::max(longest_, longest);
  std::vector<std::vector<std::uint32_t>> next(shape.positions.size());
  for (std::uint32_t i = 0; i < shape.positions.size(); ++i) {
    for (const std::uint32_t before : shape.positions[i].previous) next[before].push_back(i);
  }
  for (std::uint32_t i = 0; i < shape.positions.size(); ++i) {
    const PatternShape::Position& position = shape.positions[i];
    const auto begin = static_cast<std::uint32_t>(next_.size());
    for (const std::uint32_t after : next[i]) next_.push_back(base + after);
    nodes_.push_back({.bytes = position.bytes,
                      .next_begin = begin,
                      .next_end = static_cast<std::uint32_t>(next_.size()),
                      .max_length = static_cast<std::uint32_t>(longest),
                      .is_open = position.is_open});
    if (!position.is_first || !position.is_open) continue;
    auto& begins = shape.begins_at_boundary ? begins_at_boundary_ : begins_;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      if (position.bytes[byte]) begins[byte].push_back(base + i);
    }
  }
}

void OpenMatches::add_unknown(std::size_t max_length) {
  always_open_ = std::max(always_open_, max_length);
  longest_ = std::max(longest_, max_length);
}

void OpenMatches::seal() {
  for (auto& list : begins_) list.shrink_to_fit();
  for (auto& list : begins_at_boundary_) list.shrink_to_fit();
  nodes_.shrink_to_fit();
  next_.shrink_to_fit();
}

// Of several threads at one node the one that began first counts.
void OpenMatches::step_into(std::uint32_t node, std::uint64_t begin, Scratch& scratch) const {
  if (scratch.stamp[node] == scratch.step) {
    std::uint64_t& known = scratch.next[scratch.place[node]].begin;
    known = std::min(known, begin);
    return;
  }
  scratch.stamp[node] = scratch.step;
  scratch.place[node] = static_cast<std::uint32_t>(scratch.next.size());
  scratch.next.push_back({node, begin});
}

void OpenMatches::advance(Threads& threads, std::string_view text, std::size_t from,
                          std::uint64_t origin, Scratch& scratch) const {
  if (scratch.stamp.size() < nodes_.size()) {
    scratch.stamp.assign(nodes_.size(), 0);
    scratch.place.assign(nodes_.size(), 0);
    scratch.step = 0;
  }
  for (std::size_t i = from; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::uint64_t offset = origin + i;
    ++scratch.step;
    scratch.next.clear();
    for (const Thread& thread : threads) {
      const Node& node = nodes_[thread.node];
      if (offset - thread.begin >= node.max_length) continue;
      for (std::uint32_t at = node.next_begin; at < node.next_end; ++at) {
        const Node& after = nodes_[next_[at]];
        if (after.bytes[byte] && after.is_open) step_into(next_[at], thread.begin, scratch);
      }
    }
    for (const std::uint32_t node : begins_[byte]) step_into(node, offset, scratch);
    if (!begins_at_boundary_[byte].empty() && at_boundary(text, i)) {
      for (const std::uint32_t node : begins_at_boundary_[byte]) {
        step_into(node, offset, scratch);
      }
    }
    threads.swap(scratch.next);
  }
}

std::uint64_t OpenMatches::open_from(const Threads& threads, std::uint64_t end) const {
  std::uint64_t open = end > always_open_ ? end - always_open_ : 0;
  for (const Thread& thread : threads) open = std::min(open, thread.begin);
  return open;
}

}  // namespace agentsh::dlp
