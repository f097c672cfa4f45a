#include "policies/lazy_automaton.h"

#include <algorithm>

namespace agentsh::policy {

std::size_t LazyAutomaton::SetHash::operator()(const GlobProgram::StateSet& set) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15;
  for (std::uint32_t state : set) hash = (hash ^ state) * 0xff51afd7ed558ccd ^ hash >> 29;
  return hash;
}

LazyAutomaton::LazyAutomaton(GlobProgram program, std::uint32_t id_bound, std::size_t maximum_bytes)
    : program_(std::move(program)), id_bound_(id_bound), maximum_bytes_(maximum_bytes) {
  start_ = intern(program_.start());
}

LazyAutomaton::~LazyAutomaton() = default;

const IdSet* LazyAutomaton::match(std::string_view text, std::unique_ptr<const IdSet>& own) const {
  const bool forwards = program_.direction() == Direction::kForwards;
  const auto& classes = program_.byte_classes();
  const State* state = start_;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(forwards ? text[i] : text[text.size() - 1 - i]);
    const State* next = state->next[classes[byte]].load(std::memory_order_acquire);
    if (next == nullptr) next = advance(state, byte);
    if (next == nullptr) {
      own = simulate(state->states, forwards ? text.substr(i) : text.substr(0, text.size() - i));
      return own.get();
    }
    state = next;
    if (state->states.empty()) break;
  }
  return state->accepts;
}

const LazyAutomaton::State* LazyAutomaton::advance(const State* state, std::uint8_t byte) const {
  std::unique_lock lock(growing_, std::try_to_lock);
  if (!lock) return nullptr;
  const State* next = intern(program_.step(state->states, byte));
  if (next != nullptr) {
    state->next[program_.byte_classes()[byte]].store(next, std::memory_order_release);
  }
  return next;
}

const LazyAutomaton::State* LazyAutomaton::intern(GlobProgram::StateSet set) const {
  if (auto known = states_.find(set); known != states_.end()) return known->second.get();
  const std::size_t size = sizeof(State) + 2 * set.size() * sizeof(std::uint32_t) +
                           program_.byte_class_count() * sizeof(void*) + 64;
  if (bytes_ + size > maximum_bytes_ && !states_.empty()) return nullptr;
  std::vector<std::uint32_t> ids = program_.matched(set);
  std::ranges::sort(ids);
  auto accepted = accepted_.find(ids);
  if (accepted == accepted_.end()) {
    bytes_ += 2 * ids.size() * sizeof(std::uint32_t) + id_bound_ / 8 * (ids.size() >= 32 ? 1 : 0);
    IdSet stored(ids, id_bound_);
    accepted = accepted_.emplace(std::move(ids), std::move(stored)).first;
  }
  bytes_ += size;
  auto state = std::make_unique<State>(set, &accepted->second, program_.byte_class_count());
  return states_.emplace(std::move(set), std::move(state)).first->second.get();
}

std::unique_ptr<const IdSet> LazyAutomaton::simulate(GlobProgram::StateSet states,
                                                     std::string_view text) const {
  const bool forwards = program_.direction() == Direction::kForwards;
  for (std::size_t i = 0; i < text.size() && !states.empty(); ++i) {
    const char c = forwards ? text[i] : text[text.size() - 1 - i];
    states = program_.step(states, static_cast<std::uint8_t>(c));
  }
  return std::make_unique<const IdSet>(program_.matched(states), id_bound_);
}

}  // namespace agentsh::policy
