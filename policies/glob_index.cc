#include "policies/glob_index.h"

#include "policies/lazy_automaton.h"
#include "policies/prefix_index.h"

#include <algorithm>
#include <deque>
#include <map>
#include <span>
#include <string>

namespace agentsh::policy {
namespace {

// A rest that this many globs share is worth an automaton of its own.
constexpr std::size_t kSharedByAtLeast = 8;
constexpr std::size_t kMaximumShared = 64;
constexpr std::size_t kSharedAutomatonBytes = 256 << 10;

std::span<const GlobToken> rest_of(const Glob& glob, Direction direction) {
  std::span<const GlobToken> tokens = glob.tokens();
  if (direction == Direction::kForwards) {
    return glob.literal_prefix().empty() ? tokens : tokens.subspan(1);
  }
  return glob.literal_suffix().empty() ? tokens : tokens.first(tokens.size() - 1);
}

// A text that is the same for the same tokens.
void append_key(std::span<const GlobToken> tokens, std::string& key) {
  for (const GlobToken& token : tokens) {
    key += static_cast<char>('0' + static_cast<int>(token.kind));
    switch (token.kind) {
      case GlobToken::Kind::kText:
        key += std::to_string(token.text.size()) + ":" + token.text;
        break;
      case GlobToken::Kind::kCharacter:
        key += token.ascii.to_string() + (token.non_ascii ? "+" : "-");
        break;
      case GlobToken::Kind::kChoice:
        key += std::to_string(token.choices.size());
        for (const auto& choice : token.choices) {
          key += '{';
          append_key(choice, key);
        }
        key += '}';
        break;
      case GlobToken::Kind::kStar:
      case GlobToken::Kind::kDoubleStar:
        break;
    }
  }
}

bool is_single(std::span<const GlobToken> tokens, GlobToken::Kind kind) {
  return tokens.size() == 1 && tokens.front().kind == kind;
}

}  // namespace

struct GlobIndex::Side {
  PrefixIndex prefixes;
  char separator = kNoSeparator;
  std::deque<LazyAutomaton> shared;  // By number of the rest, from PrefixIndex::kShared on.
  std::unique_ptr<LazyAutomaton> others;

  Side(const std::vector<const Entry*>& entries, Direction direction, std::uint32_t id_bound,
       std::size_t automaton_bytes);
  void match(std::string_view text, std::uint32_t id_bound, Match& result) const;
};

GlobIndex::Side::Side(const std::vector<const Entry*>& entries, Direction direction,
                      std::uint32_t id_bound, std::size_t automaton_bytes) {
  std::vector<PrefixIndex::Entry> simple;
  std::map<std::string, std::vector<const Entry*>> by_rest;
  for (const Entry* entry : entries) {
    const auto rest = rest_of(entry->glob, direction);
    separator = entry->glob.separator();
    const std::string_view literal = direction == Direction::kForwards
                                         ? entry->glob.literal_prefix()
                                         : entry->glob.literal_suffix();
    if (rest.empty()) {
      simple.push_back({literal, PrefixIndex::kEnd, entry->id});
    } else if (is_single(rest, GlobToken::Kind::kStar)) {
      simple.push_back({literal, PrefixIndex::kStar, entry->id});
    } else if (is_single(rest, GlobToken::Kind::kDoubleStar)) {
      simple.push_back({literal, PrefixIndex::kDoubleStar, entry->id});
    } else {
      std::string key;
      append_key(rest, key);
      by_rest[std::move(key)].push_back(entry);
    }
  }
  std::vector<GlobProgram::Entry> rare;
  for (const auto& [key, same] : by_rest) {
    if (same.size() < kSharedByAtLeast || shared.size() >= kMaximumShared) {
      for (const Entry* entry : same) rare.push_back({&entry->glob, entry->id});
      continue;
    }
    const auto number = static_cast<std::uint32_t>(PrefixIndex::kShared + shared.size());
    shared.emplace_back(GlobProgram(rest_of(same.front()->glob, direction), separator, direction),
                        1, kSharedAutomatonBytes);
    for (const Entry* entry : same) {
      simple.push_back({direction == Direction::kForwards ? entry->glob.literal_prefix()
                                                          : entry->glob.literal_suffix(),
                        number, entry->id});
    }
  }
  prefixes = PrefixIndex(std::move(simple), direction, id_bound);
  if (!rare.empty()) {
    others =
        std::make_unique<LazyAutomaton>(GlobProgram(rare, direction), id_bound, automaton_bytes);
  }
}

void GlobIndex::Side::match(std::string_view text, std::uint32_t id_bound, Match& result) const {
  prefixes.find(text, [&](std::uint32_t rest, std::string_view remaining, const IdSet& ids) {
    bool matches = false;
    switch (rest) {
      case PrefixIndex::kEnd:
        matches = remaining.empty();
        break;
      case PrefixIndex::kStar:
        matches = separator == kNoSeparator || !remaining.contains(separator);
        break;
      case PrefixIndex::kDoubleStar:
        matches = true;
        break;
      default: {
        std::unique_ptr<const IdSet> own;
        matches = !shared[rest - PrefixIndex::kShared].match(remaining, own)->empty();
      }
    }
    if (matches) result.add(&ids, id_bound);
  });
  if (others == nullptr) return;
  std::unique_ptr<const IdSet> own;
  const IdSet* found = others->match(text, own);
  if (own != nullptr) result.own_.push_back(std::move(own));
  result.add(found, id_bound);
}

void GlobIndex::Match::add(const IdSet* set, std::uint32_t id_bound) {
  if (set->empty()) return;
  if (count_ < kMaximum) {
    sets_[count_++] = set;
    return;
  }
  // Many nested globs match: the last place takes their union.
  const IdSet*& last = sets_.back();
  std::vector<std::uint32_t> ids(last->ids().begin(), last->ids().end());
  ids.insert(ids.end(), set->ids().begin(), set->ids().end());
  own_.push_back(std::make_unique<const IdSet>(std::move(ids), id_bound));
  last = own_.back().get();
}

GlobIndex::GlobIndex() = default;
GlobIndex::~GlobIndex() = default;
GlobIndex::GlobIndex(GlobIndex&&) noexcept = default;
GlobIndex& GlobIndex::operator=(GlobIndex&&) noexcept = default;

GlobIndex::GlobIndex(std::vector<Entry> entries, std::uint32_t id_bound, Limits limits)
    : id_bound_(id_bound) {
  std::vector<const Entry*> forwards;
  std::vector<const Entry*> backwards;
  for (const Entry& entry : entries) {
    const bool begins = entry.glob.literal_prefix().size() >= entry.glob.literal_suffix().size();
    (begins ? forwards : backwards).push_back(&entry);
  }
  const auto side = [&](const std::vector<const Entry*>& of, Direction direction) {
    return of.empty()
               ? nullptr
               : std::make_unique<const Side>(of, direction, id_bound, limits.automaton_bytes);
  };
  forwards_ = side(forwards, Direction::kForwards);
  backwards_ = side(backwards, Direction::kBackwards);
}

GlobIndex::Match GlobIndex::match(std::string_view text) const {
  Match result;
  if (forwards_ != nullptr) forwards_->match(text, id_bound_, result);
  if (backwards_ != nullptr) backwards_->match(text, id_bound_, result);
  return result;
}

}  // namespace agentsh::policy
