#include "dlp/pattern_set.h"

#include "dlp/pattern_shape.h"

#include <fmt/format.h>
#include <hs.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace agentsh::dlp {

struct PatternSet::Pattern {
  std::unique_ptr<re2::RE2> regex;  // From a beginning on.
  std::string expression;
  std::size_t max_length = 0;
  mutable std::once_flag made_backwards;
  mutable std::unique_ptr<re2::RE2> backwards;  // Up to an end; made when first needed.

  Pattern() = default;
  Pattern(Pattern&& other) noexcept
      : regex(std::move(other.regex)),
        expression(std::move(other.expression)),
        max_length(other.max_length) {}
};

// What a scan writes to: one for each thread that scans at the same time.
struct PatternSet::Workspace {
  hs_scratch_t* scratch = nullptr;
  OpenMatches::Scratch open_matches;
  std::array<std::vector<EvidenceRange>, kEvidenceKinds> places;
  std::vector<EvidenceRange> ranges;

  ~Workspace() { hs_free_scratch(scratch); }
};

WorkspacePool<PatternSet::Workspace>::Lease PatternSet::lease() const {
  return workspaces_.lease([this] {
    auto workspace = std::make_unique<Workspace>();
    for (const Group& group : groups_) {
      if (hs_alloc_scratch(group.database, &workspace->scratch) != HS_SUCCESS) {
        throw std::bad_alloc();
      }
    }
    return workspace;
  });
}

namespace {

re2::RE2::Options regex_options() {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_dot_nl(true);
  options.set_longest_match(true);
  options.set_log_errors(false);
  return options;
}

constexpr std::size_t kWorthCaching = 16;

// What an automaton depends on beside its patterns.
std::string platform_description() {
  hs_platform_info_t platform{};
  hs_populate_platform(&platform);
  return fmt::format("{} {} {} block dotall\n", hs_version(), platform.tune, platform.cpu_features);
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

PatternSet::PatternSet() = default;

PatternSet::~PatternSet() {
  for (const Group& group : groups_) hs_free_database(group.database);
}

std::expected<std::unique_ptr<PatternSet>, PatternSet::CompileError> PatternSet::compile(
    std::vector<PatternSource> sources, const DatabaseCache& cache) {
  std::unique_ptr<PatternSet> set(new PatternSet);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    PatternSource& source = sources[i];
    auto shape = shape_of(source.expression);
    if (shape && shape->min_width == 0) {
      return std::unexpected(CompileError{i, "the pattern matches the empty text"});
    }
    set->group_for(shape ? &*shape : nullptr, source.max_length)
        .patterns.push_back(static_cast<unsigned>(i));
    if (shape) {
      set->open_matches_.add(*shape, source.max_length);
    } else {
      set->open_matches_.add_unknown(source.max_length);
    }
    Pattern pattern;
    pattern.regex = std::make_unique<re2::RE2>(source.expression, regex_options());
    if (!pattern.regex->ok()) return std::unexpected(CompileError{i, pattern.regex->error()});
    pattern.expression = source.expression;
    pattern.max_length = source.max_length;
    set->patterns_.push_back(std::move(pattern));
  }
  set->open_matches_.seal();
  for (Group& group : set->groups_) {
    if (auto compiled = compile_group(group, sources, cache); !compiled) {
      return std::unexpected(compiled.error());
    }
  }
  return set;
}

PatternSet::Group& PatternSet::group_for(const PatternShape* shape, std::size_t max_length) {
  Group wanted;
  if (shape != nullptr) {
    const std::size_t width = std::min(shape->max_width, max_length);
    if (width <= kFar) wanted.evidence = evidence_of(*shape);
    if (wanted.evidence) wanted.reach = width <= kNear ? kNear : kFar;
  }
  for (Group& group : groups_) {
    if (group.evidence == wanted.evidence && group.reach == wanted.reach) return group;
  }
  return groups_.emplace_back(std::move(wanted));
}

std::expected<void, PatternSet::CompileError> PatternSet::compile_group(
    Group& group, const std::vector<PatternSource>& sources, const DatabaseCache& cache) {
  std::vector<const char*> expressions;
  const std::vector<unsigned> flags(group.patterns.size(), HS_FLAG_DOTALL);
  std::string description = platform_description();
  for (const unsigned index : group.patterns) {
    expressions.push_back(sources[index].expression.c_str());
    description.append(expressions.back()).append(1, '\0').append(std::to_string(index));
    description.append(1, '\0');
  }
  // Few patterns compile faster than a file is worth.
  const bool is_cached = group.patterns.size() >= kWorthCaching;
  if (is_cached) {
    const auto kept = cache.load(description);
    if (kept &&
        hs_deserialize_database(kept->data(), kept->size(), &group.database) == HS_SUCCESS) {
      return {};
    }
  }
  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(expressions.data(), flags.data(), group.patterns.data(),
                       static_cast<unsigned>(expressions.size()), HS_MODE_BLOCK, nullptr,
                       &group.database, &error) != HS_SUCCESS) {
    CompileError wrong{
        group.patterns[error->expression < 0 ? 0 : static_cast<std::size_t>(error->expression)],
        error->message};
    hs_free_compile_error(error);
    return std::unexpected(std::move(wrong));
  }
  char* bytes = nullptr;
  std::size_t size = 0;
  if (is_cached && hs_serialize_database(group.database, &bytes, &size) == HS_SUCCESS) {
    cache.store(description, {bytes, size});
    std::free(bytes);
  }
  return {};
}

void PatternSet::scan_range(const Group& group, Workspace& workspace, std::string_view text,
                            Range range, std::vector<MatchEnd>& ends) const {
  struct Found {
    std::vector<MatchEnd>& ends;
    std::uint32_t from;
  } found{ends, static_cast<std::uint32_t>(range.begin)};
  const auto outcome = hs_scan(
      group.database, text.data() + range.begin, static_cast<unsigned>(range.end - range.begin), 0,
      workspace.scratch,
      [](unsigned pattern, unsigned long long, unsigned long long end, unsigned, void* context) {
        auto* into = static_cast<Found*>(context);
        into->ends.push_back({pattern, into->from + static_cast<std::uint32_t>(end)});
        return 0;
      },
      &found);
  if (outcome != HS_SUCCESS) throw std::runtime_error("the scan failed");
}

void PatternSet::find_ends(std::string_view text, std::size_t floor,
                           std::vector<MatchEnd>& ends) const {
  const auto workspace = lease();
  ends.clear();
  std::array<bool, kEvidenceKinds> is_known{};
  for (const Group& group : groups_) {
    if (!group.evidence) {
      // One byte before the floor is enough for word boundaries.
      scan_range(group, *workspace, text, {floor > 0 ? floor - 1 : 0, text.size()}, ends);
      continue;
    }
    const auto kind = static_cast<std::size_t>(*group.evidence);
    if (!std::exchange(is_known[kind], true)) {
      find_evidence(*group.evidence, text, floor, workspace->places[kind]);
    }
    ranges_around(workspace->places[kind], text.size(), floor, group.reach, workspace->ranges);
    for (const EvidenceRange& range : workspace->ranges) {
      scan_range(group, *workspace, text, {range.begin, range.end}, ends);
    }
  }
  std::ranges::sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

void PatternSet::advance(OpenMatches::Threads& threads, std::string_view text, std::size_t from,
                         std::uint64_t origin) const {
  open_matches_.advance(threads, text, from, origin, lease()->open_matches);
}

std::size_t PatternSet::begin_of(std::uint32_t index, std::string_view text, std::size_t floor,
                                 std::size_t end) const {
  const Pattern& pattern = patterns_[index];
  std::call_once(pattern.made_backwards, [&] {
    pattern.backwards =
        std::make_unique<re2::RE2>("(?:" + pattern.expression + ")\\z", regex_options());
  });
  const std::size_t from = end - floor > pattern.max_length ? end - pattern.max_length : floor;
  re2::StringPiece match;
  const bool found = pattern.backwards->Match(piece(text.substr(0, end)), from, end,
                                              re2::RE2::UNANCHORED, &match, 1);
  return found ? static_cast<std::size_t>(match.data() - text.data()) : end;
}

std::size_t PatternSet::end_of(std::uint32_t index, std::string_view text,
                               std::size_t begin) const {
  const Pattern& pattern = patterns_[index];
  const std::size_t limit =
      text.size() - begin > pattern.max_length ? begin + pattern.max_length : text.size();
  re2::StringPiece match;
  const bool found =
      pattern.regex->Match(piece(text), begin, limit, re2::RE2::ANCHOR_START, &match, 1);
  return found ? begin + match.size() : begin;
}

Range PatternSet::value_in(std::uint32_t index, std::string_view text, Range match) const {
  const Pattern& pattern = patterns_[index];
  const bool has_group = pattern.regex->NumberOfCapturingGroups() > 0;
  re2::StringPiece groups[2];
  if (!pattern.regex->Match(piece(text), match.begin, match.end, re2::RE2::ANCHOR_BOTH, groups,
                            has_group ? 2 : 1)) {
    return {match.begin, match.begin};
  }
  if (!has_group) return match;
  if (groups[1].data() == nullptr) return {match.begin, match.begin};
  const auto begin = static_cast<std::size_t>(groups[1].data() - text.data());
  return {begin, begin + groups[1].size()};
}

std::size_t PatternSet::database_bytes() const {
  std::size_t bytes = 0;
  for (const Group& group : groups_) {
    std::size_t size = 0;
    hs_database_size(group.database, &size);
    bytes += size;
  }
  return bytes;
}

std::size_t PatternSet::scratch_bytes() const {
  std::size_t bytes = 0;
  hs_scratch_size(lease()->scratch, &bytes);
  return bytes;
}

}  // namespace agentsh::dlp
