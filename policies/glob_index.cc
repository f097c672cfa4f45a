#include "policies/glob_index.h"

#include "policies/lazy_automaton.h"

namespace agentsh::policy {
namespace {

std::unique_ptr<LazyAutomaton> automaton(const std::vector<GlobProgram::Entry>& entries,
                                         Direction direction, std::uint32_t id_bound,
                                         std::size_t maximum_bytes) {
  if (entries.empty()) return nullptr;
  return std::make_unique<LazyAutomaton>(GlobProgram(entries, direction), id_bound, maximum_bytes);
}

}  // namespace

GlobIndex::GlobIndex() = default;
GlobIndex::~GlobIndex() = default;
GlobIndex::GlobIndex(GlobIndex&&) noexcept = default;
GlobIndex& GlobIndex::operator=(GlobIndex&&) noexcept = default;

GlobIndex::GlobIndex(std::vector<Entry> entries, std::uint32_t id_bound, Limits limits) {
  std::unordered_map<std::string, std::vector<std::uint32_t>> literals;
  std::vector<GlobProgram::Entry> forwards;
  std::vector<GlobProgram::Entry> backwards;
  for (const Entry& entry : entries) {
    if (entry.glob.is_literal()) {
      literals[std::string(entry.glob.literal_prefix())].push_back(entry.id);
    } else if (entry.glob.literal_prefix().size() >= entry.glob.literal_suffix().size()) {
      forwards.push_back({&entry.glob, entry.id});
    } else {
      backwards.push_back({&entry.glob, entry.id});
    }
  }
  literals_.reserve(literals.size());
  for (auto& [text, ids] : literals) literals_.emplace(text, IdSet(std::move(ids), id_bound));
  forwards_ = automaton(forwards, Direction::kForwards, id_bound, limits.automaton_bytes);
  backwards_ = automaton(backwards, Direction::kBackwards, id_bound, limits.automaton_bytes);
}

GlobIndex::Match GlobIndex::match(std::string_view text) const {
  Match result;
  if (auto literal = literals_.find(text); literal != literals_.end()) {
    result.sets_[0] = &literal->second;
  }
  if (forwards_ != nullptr) result.sets_[1] = forwards_->match(text, result.own_[0]);
  if (backwards_ != nullptr) result.sets_[2] = backwards_->match(text, result.own_[1]);
  return result;
}

}  // namespace agentsh::policy
