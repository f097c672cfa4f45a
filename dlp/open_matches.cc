#include "dlp/open_matches.h"

#include <algorithm>
#include <unordered_set>

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
  const auto base = static_cast<std::uint32_t>(positions_.size());
  const auto longest = static_cast<std::uint32_t>(std::min(max_length, shape.max_width));
  for (std::size_t i = 0; i < shape.positions.size(); ++i) {
    const PatternShape::Position& from = shape.positions[i];
    const auto begin = static_cast<std::uint32_t>(previous_.size());
    for (const std::uint32_t before : from.previous) previous_.push_back(base + before);
    positions_.push_back({.bytes = from.bytes,
                          .previous_begin = begin,
                          .previous_end = static_cast<std::uint32_t>(previous_.size()),
                          .max_length = longest,
                          .is_first = from.is_first,
                          .at_boundary = shape.begins_at_boundary});
    if (from.is_open) start_.push_back(base + static_cast<std::uint32_t>(i));
  }
}

void OpenMatches::add_unknown(std::size_t max_length) {
  always_open_ = std::max(always_open_, max_length);
}

// Bytes that no position tells apart are one class.
void OpenMatches::seal() {
  std::unordered_set<ByteSet> sets;
  for (const Position& position : positions_) sets.insert(position.bytes);
  std::map<std::vector<bool>, std::uint8_t> classes;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::vector<bool> members;
    for (const ByteSet& set : sets) members.push_back(set[byte]);
    const auto [it, is_new] =
        classes.emplace(std::move(members), static_cast<std::uint8_t>(classes.size()));
    if (is_new) class_byte_.push_back(static_cast<std::uint8_t>(byte));
    byte_class_[byte] = it->second;
  }
}

std::size_t OpenMatches::open_from(std::string_view text, std::size_t floor, Cache& cache) const {
  std::size_t open = text.size();
  if (always_open_ > 0) {
    open = text.size() - floor > always_open_ ? text.size() - always_open_ : floor;
  }
  if (start_.empty()) return open;
  if (cache.states_.empty() || cache.states_.size() > Cache::kMaxStates) cache.reset(*this);
  std::uint32_t state = 0;
  for (std::size_t i = text.size(); i-- > floor;) {
    const std::uint8_t byte_class = byte_class_[static_cast<unsigned char>(text[i])];
    const std::size_t slot = state * class_byte_.size() + byte_class;
    Cache::Step step = cache.steps_[slot];
    if (step.next == Cache::kUnknown) step = cache.make_step(*this, state, byte_class);
    const std::size_t length = text.size() - i;
    if (length <= step.begins || (length <= step.begins_at_boundary && at_boundary(text, i))) {
      open = std::min(open, i);
    }
    state = step.next;
    if (cache.states_[state].reach <= length) break;
  }
  return open;
}

void OpenMatches::Cache::reset(const OpenMatches& automaton) {
  states_.clear();
  steps_.clear();
  index_.clear();
  state_of(automaton, automaton.start_);
}

std::uint32_t OpenMatches::Cache::state_of(const OpenMatches& automaton,
                                           std::vector<std::uint32_t> positions) {
  const auto [it, is_new] =
      index_.emplace(std::move(positions), static_cast<std::uint32_t>(states_.size()));
  if (!is_new) return it->second;
  State state{.positions = it->first};
  for (const std::uint32_t position : state.positions) {
    state.reach = std::max(state.reach, automaton.positions_[position].max_length);
  }
  states_.push_back(std::move(state));
  steps_.resize(states_.size() * automaton.class_byte_.size());
  return it->second;
}

OpenMatches::Cache::Step OpenMatches::Cache::make_step(const OpenMatches& automaton,
                                                       std::uint32_t from,
                                                       std::uint8_t byte_class) {
  Step step;
  std::vector<std::uint32_t> next;
  for (const std::uint32_t index : states_[from].positions) {
    const Position& position = automaton.positions_[index];
    if (!position.bytes[automaton.class_byte_[byte_class]]) continue;
    next.insert(next.end(), automaton.previous_.begin() + position.previous_begin,
                automaton.previous_.begin() + position.previous_end);
    if (!position.is_first) continue;
    std::uint32_t& begins = position.at_boundary ? step.begins_at_boundary : step.begins;
    begins = std::max(begins, position.max_length);
  }
  std::ranges::sort(next);
  next.erase(std::unique(next.begin(), next.end()), next.end());
  step.next = state_of(automaton, std::move(next));
  steps_[from * automaton.class_byte_.size() + byte_class] = step;
  return step;
}

}  // namespace agentsh::dlp
