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
  if (scratch.stamp_[node] == scratch.step_) {
    std::uint64_t& known = scratch.next_[scratch.place_[node]].begin;
    known = std::min(known, begin);
    return;
  }
  scratch.stamp_[node] = scratch.step_;
  scratch.place_[node] = static_cast<std::uint32_t>(scratch.next_.size());
  scratch.next_.push_back({node, begin});
}

void OpenMatches::add_second(const std::vector<std::uint32_t>& begins, std::uint8_t second,
                             std::vector<std::uint32_t>& nodes) const {
  for (const std::uint32_t begin : begins) {
    const Node& node = nodes_[begin];
    if (node.max_length < 2) continue;
    for (std::uint32_t at = node.next_begin; at < node.next_end; ++at) {
      const Node& after = nodes_[next_[at]];
      if (after.bytes[second] && after.is_open) nodes.push_back(next_[at]);
    }
  }
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
}

const OpenMatches::Scratch::Pair& OpenMatches::pair(std::uint8_t first, std::uint8_t second,
                                                    Scratch& scratch) const {
  auto& row = scratch.pairs_[first];
  if (row.empty()) row.resize(256);
  auto& known = row[second];
  if (!known) {
    known = std::make_unique<Scratch::Pair>();
    add_second(begins_[first], second, known->anywhere);
    add_second(begins_at_boundary_[first], second, known->at_boundary);
  }
  return *known;
}

void OpenMatches::advance(Threads& threads, std::string_view text, std::size_t from,
                          std::uint64_t origin, Scratch& scratch) const {
  if (scratch.stamp_.empty()) {
    scratch.stamp_.assign(nodes_.size(), 0);
    scratch.place_.assign(nodes_.size(), 0);
  }
  for (std::size_t i = from; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::uint64_t offset = origin + i;
    ++scratch.step_;
    scratch.next_.clear();
    for (const Threads::Thread& thread : threads.running_) {
      const Node& node = nodes_[thread.node];
      if (offset - thread.begin >= node.max_length) continue;
      for (std::uint32_t at = node.next_begin; at < node.next_end; ++at) {
        const Node& after = nodes_[next_[at]];
        if (after.bytes[byte] && after.is_open) step_into(next_[at], thread.begin, scratch);
      }
    }
    if (threads.has_last_ && may_begin(threads.last_)) {
      const Scratch::Pair& begun = pair(threads.last_, byte, scratch);
      for (const std::uint32_t node : begun.anywhere) step_into(node, threads.last_at_, scratch);
      if (threads.last_at_boundary_) {
        for (const std::uint32_t node : begun.at_boundary) {
          step_into(node, threads.last_at_, scratch);
        }
      }
    }
    threads.running_.swap(scratch.next_);
    threads.has_last_ = true;
    threads.last_ = byte;
    threads.last_at_ = offset;
    threads.last_at_boundary_ = at_boundary(text, i);
  }
}

std::uint64_t OpenMatches::open_from(const Threads& threads, std::uint64_t end) const {
  std::uint64_t open = end > always_open_ ? end - always_open_ : 0;
  for (const Threads::Thread& thread : threads.running_) open = std::min(open, thread.begin);
  const bool begins = threads.has_last_ &&
                      (!begins_[threads.last_].empty() ||
                       (threads.last_at_boundary_ && !begins_at_boundary_[threads.last_].empty()));
  return begins ? std::min(open, threads.last_at_) : open;
}

}  // namespace agentsh::dlp
