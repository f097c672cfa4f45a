#include "dlp/scan_engine.h"

#include "dlp/context_words.h"
#include "dlp/overlaps.h"
#include "dlp/scan_stream.h"
#include "dlp/vault.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

// Ends that are tried for one beginning when the longest match does not pass the validators.
constexpr std::size_t kMaxShorterEnds = 24;
// A group whose reach is not known yet.
constexpr std::size_t kUndecided = ~std::size_t{0};

constexpr std::string_view kPlaceholderPattern = "(?i)TOK_[A-Z]{1,12}_[0-9A-HJKMNP-TV-Z]{10}";

}  // namespace

// What a pattern takes from one beginning: a hit or none, and how far that was looked at.
struct ScanEngine::Group {
  std::size_t begin = 0;
  std::size_t end = 0;    // Of the longest match.
  std::size_t reach = 0;  // With the context behind it.
  bool is_hit = false;
  Hit hit;
};

// One call of settle(): collects the groups of every pattern that ends in the window.
class ScanEngine::Search {
 public:
  Search(const ScanEngine& engine, const Task& task, std::string_view window, std::size_t open)
      : engine_(engine), task_(task), window_(window), open_(open) {}

  // Sorted by begin.
  std::vector<Group>& groups(std::size_t floor) {
    groups_.clear();
    for (const auto& part : engine_.parts_) {
      if (part->held) {
        take_held(*part, floor);
      } else {
        take_patterns(*part, floor);
      }
    }
    std::ranges::sort(groups_, {}, &Group::begin);
    return groups_;
  }

 private:
  void take_held(const Part& part, std::size_t floor) {
    part.held->find(window_, floor, held_);
    for (const HeldSet::Found& found : held_) {
      const std::uint32_t detector = part.detectors[found.form];
      if (found.begin >= open_ || !is_wanted(detector)) continue;
      groups_.push_back({.begin = found.begin,
                         .end = found.end,
                         .reach = found.end,
                         .is_hit = true,
                         .hit = {found.begin, found.end, detector, 1}});
    }
  }

  void take_patterns(const Part& part, std::size_t floor) {
    part.patterns->find_ends(window_, floor, ends_);
    for (std::size_t i = 0; i < ends_.size();) {
      std::size_t j = i;
      while (j < ends_.size() && ends_[j].pattern == ends_[i].pattern) ++j;
      if (is_wanted(part.detectors[ends_[i].pattern])) {
        take_pattern(part, std::span(ends_).subspan(i, j - i), floor);
      }
      i = j;
    }
  }

  bool is_wanted(std::uint32_t detector) const {
    if (detector == kPlaceholderDetector) return task_.placeholders != PlaceholderRule::kIgnore;
    return task_.profile.mode_of(detector) != Mode::kDisabled;
  }

  // `ends` are all ends of one pattern, ascending.
  void take_pattern(const Part& part, std::span<const MatchEnd> ends, std::size_t floor) {
    const std::uint32_t pattern = ends.front().pattern;
    bool undecided = false;  // An earlier end could still change what the others mean.
    for (std::size_t i = 0; i < ends.size();) {
      const std::size_t end = ends[i].end;
      const std::size_t begin =
          end <= floor ? end : part.patterns->begin_of(pattern, window_, floor, end);
      if (begin >= end) {
        ++i;
        continue;
      }
      if (undecided || begin >= open_) {
        undecided = true;
        if (begin < open_) groups_.push_back({.begin = begin, .end = end, .reach = kUndecided});
        ++i;
        continue;
      }
      floor = take_from(part, ends.subspan(i), begin);
    }
  }

  // The group that begins at `begin`; gives the place from which the next one may begin.
  std::size_t take_from(const Part& part, std::span<const MatchEnd> ends, std::size_t begin) {
    const std::uint32_t pattern = ends.front().pattern;
    const std::uint32_t detector = part.detectors[pattern];
    const std::size_t longest = part.patterns->end_of(pattern, window_, begin);
    Group group{.begin = begin, .end = std::max(longest, begin + 1)};
    group.reach = group.end;
    std::size_t next = begin + 1;
    std::size_t tries = 0;
    for (std::size_t end = longest; end > begin && tries <= kMaxShorterEnds; ++tries) {
      if (accept(part, pattern, {begin, end}, group)) {
        next = end;
        break;
      }
      end = shorter_end(ends, begin, end);
    }
    if (detector != kPlaceholderDetector) {
      group.reach += engine_.detectors_[detector].context.after;
    }
    groups_.push_back(group);
    return next;
  }

  static std::size_t shorter_end(std::span<const MatchEnd> ends, std::size_t begin,
                                 std::size_t end) {
    const auto at = std::ranges::lower_bound(ends, end, {}, &MatchEnd::end);
    return at == ends.begin() ? begin : std::prev(at)->end;
  }

  // Validators, context and confidence; fills in the group's hit.
  bool accept(const Part& part, std::uint32_t pattern, Range match, Group& group) const {
    const std::uint32_t index = part.detectors[pattern];
    const Range value = part.patterns->value_in(pattern, window_, match);
    if (value.begin == value.end) return false;
    const std::string_view text = window_.substr(value.begin, value.end - value.begin);
    group.hit = {.begin = value.begin, .end = value.end, .detector = index, .confidence = 1};
    if (index == kPlaceholderDetector) {
      group.is_hit =
          task_.placeholders == PlaceholderRule::kReport || task_.vault->value_of(text).has_value();
      return group.is_hit;
    }
    const Detector& detector = engine_.detectors_[index];
    if (!std::ranges::all_of(detector.validators, [&](const Validator& v) { return v(text); })) {
      return false;
    }
    double confidence = detector.confidence;
    if (!detector.context.words.empty()) {
      const bool has_word = has_context_word(detector.context, window_, match);
      if (!has_word && detector.context.required) return false;
      if (has_word) confidence = std::min(1.0, confidence + detector.context.raises);
    }
    group.hit.confidence = static_cast<float>(confidence);
    group.is_hit = confidence >= task_.profile.min_confidence();
    return group.is_hit;
  }

  const ScanEngine& engine_;
  const Task& task_;
  std::string_view window_;
  std::size_t open_;
  std::vector<MatchEnd> ends_;
  std::vector<HeldSet::Found> held_;
  std::vector<Group> groups_;
};

Result<std::unique_ptr<ScanEngine>> ScanEngine::build(std::vector<Detector> detectors,
                                                      const DatabaseCache& cache) {
  std::unique_ptr<ScanEngine> engine(new ScanEngine);
  engine->detectors_ = std::move(detectors);
  std::vector<PatternSource> expressions;
  auto part = std::make_shared<Part>();
  expressions.push_back(
      {.expression = std::string(kPlaceholderPattern), .max_length = Vault::kMaxPlaceholder});
  part->detectors.push_back(kPlaceholderDetector);
  for (std::uint32_t i = 0; i < engine->detectors_.size(); ++i) {
    const Detector& detector = engine->detectors_[i];
    if (!engine->by_id_.emplace(detector.id, i).second) {
      return fail(fmt::format("detector {} is there twice", detector.id));
    }
    for (const std::string& pattern : detector.patterns) {
      expressions.push_back(
          {.expression = pattern, .max_length = std::min(detector.max_length, kMaxMatch)});
      part->detectors.push_back(i);
    }
  }
  auto patterns = PatternSet::compile(std::move(expressions), cache);
  if (!patterns) {
    // The placeholders' pattern is ours, and the first.
    const std::uint32_t index = part->detectors[patterns.error().index];
    const std::string id =
        index == kPlaceholderDetector ? "placeholder" : engine->detectors_[index].id;
    return fail(fmt::format("detector {}: {}", id, patterns.error().what));
  }
  part->patterns = std::move(*patterns);
  engine->parts_.push_back(std::move(part));
  return engine;
}

Result<std::unique_ptr<ScanEngine>> ScanEngine::with_held(
    std::span<const std::pair<Detector, std::string>> secrets) const {
  std::unique_ptr<ScanEngine> engine(new ScanEngine);
  engine->detectors_ = detectors_;
  engine->by_id_ = by_id_;
  engine->parts_ = parts_;
  std::vector<HeldForm> forms;
  auto part = std::make_shared<Part>();
  for (const auto& [detector, value] : secrets) {
    const auto index = static_cast<std::uint32_t>(engine->detectors_.size());
    if (!engine->by_id_.emplace(detector.id, index).second) {
      return fail(fmt::format("secret {} is there twice", detector.id));
    }
    engine->detectors_.push_back(detector);
    for (HeldForm& form : HeldForm::forms_of(value)) {
      forms.push_back(std::move(form));
      part->detectors.push_back(index);
    }
  }
  if (forms.empty()) return engine;
  auto held = HeldSet::make(std::move(forms));
  if (!held) return std::unexpected(held.error());
  part->held = std::move(*held);
  engine->parts_.push_back(std::move(part));
  return engine;
}

std::optional<std::uint32_t> ScanEngine::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

std::size_t ScanEngine::database_bytes() const {
  std::size_t bytes = 0;
  for (const auto& part : parts_) {
    bytes += part->held ? part->held->database_bytes() : part->patterns->database_bytes();
  }
  return bytes;
}

std::size_t ScanEngine::scratch_bytes() const {
  std::size_t bytes = 0;
  for (const auto& part : parts_) bytes += part->patterns ? part->patterns->scratch_bytes() : 0;
  return bytes;
}

void ScanEngine::advance(OpenState& state, std::string_view window, std::size_t from,
                         std::uint64_t origin) const {
  state.resize(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = *parts_[i];
    if (part.held) {
      part.held->advance(state[i], window, from, origin);
    } else {
      part.patterns->advance(state[i], window, from, origin);
    }
  }
}

std::uint64_t ScanEngine::open_from(const OpenState& state, std::uint64_t end) const {
  std::uint64_t open = end;
  for (std::size_t i = 0; i < parts_.size() && i < state.size(); ++i) {
    open = std::min(open, parts_[i]->open_matches().open_from(state[i], end));
  }
  return open;
}

std::size_t ScanEngine::longest() const {
  std::size_t longest = 0;
  for (const auto& part : parts_) {
    longest = std::max(longest, part->open_matches().longest());
  }
  return longest;
}

std::size_t ScanEngine::settle(const Task& task, std::string_view window, std::size_t floor,
                               std::size_t open, bool at_end, std::vector<Hit>& hits) const {
  Search search(*this, task, window, open);
  const std::size_t first = hits.size();
  while (true) {
    const std::vector<Group>& groups = search.groups(floor);
    if (groups.empty()) {
      floor = open;
      break;
    }
    // The last place that no match goes across and before which all context is there.
    std::size_t settled = open;
    for (std::size_t i = at_end ? 0 : groups.size(); i-- > 0;) {
      const Group& group = groups[i];
      const bool is_cut = group.end > settled || group.reach > window.size();
      if (group.begin < settled && is_cut) settled = group.begin;
    }
    // Groups that overlap each other for too long are cut, at a place that depends on where the
    // first of them begins, and only once all groups before the cut are decided.
    std::size_t cut = kUndecided;
    for (std::size_t i = 0, start = floor, end = floor; i < groups.size(); ++i) {
      if (groups[i].begin >= end) start = groups[i].begin;
      const bool decided =
          start < settled || at_end || open >= start + ScanStream::kMaxCluster + kMaxMatch;
      end = std::max(end, groups[i].end);
      if (groups[i].begin >= start + ScanStream::kMaxCluster && decided) {
        cut = start + ScanStream::kMaxCluster;
        break;
      }
    }
    std::size_t next = settled;
    if (cut != kUndecided) {
      next = cut;
      for (const Group& group : groups) {
        if (group.begin < cut) next = std::max(next, group.end);
      }
    }
    for (const Group& group : groups) {
      if (group.is_hit && group.begin < std::min(cut, next)) hits.push_back(group.hit);
    }
    floor = next;
    if (cut == kUndecided) break;
  }
  std::vector<Hit> fresh(hits.begin() + static_cast<std::ptrdiff_t>(first), hits.end());
  hits.resize(first);
  resolve_overlaps(fresh, task.profile, task.placeholders);
  hits.insert(hits.end(), fresh.begin(), fresh.end());
  return floor;
}

}  // namespace agentsh::dlp
