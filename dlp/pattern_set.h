// Many patterns scanned in one pass: where matches end (Vectorscan, block mode), and for each such
// end the exact match (RE2). Start offsets are not asked of Vectorscan, since tracking them halves
// its speed; hits are rare, and RE2 run backwards from the end visits only the match's own bytes.
//
// Threads: immutable after compile(); what a scan needs is leased from a pool inside.
#pragma once

#include "base/result.h"
#include "dlp/database_cache.h"
#include "dlp/evidence.h"
#include "dlp/open_matches.h"
#include "dlp/workspace_pool.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct hs_database;
struct hs_scratch;
namespace re2 {
class RE2;
}

namespace agentsh::dlp {

struct PatternSource {
  std::string expression;
  std::size_t max_length = 0;  // The longest match.
};

// The end of some match of a pattern.
struct MatchEnd {
  std::uint32_t pattern = 0;
  std::uint32_t end = 0;
  friend auto operator<=>(const MatchEnd&, const MatchEnd&) = default;
};

// A range of the scanned text.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

class PatternSet {
 public:
  // Errors say which pattern by `index` and what is wrong.
  struct CompileError {
    std::size_t index = 0;
    std::string what;
  };
  static std::expected<std::unique_ptr<PatternSet>, CompileError> compile(
      std::vector<PatternSource> sources, const DatabaseCache& cache);
  ~PatternSet();

  // Sets `ends` to the end of every match that begins at or after `floor`, sorted by pattern and
  // end, each once, and maybe others. Bytes before `floor` are context. Precondition: text is
  // shorter than 4 GiB.
  void find_ends(std::string_view text, std::size_t floor, std::vector<MatchEnd>& ends) const;
  const OpenMatches& open_matches() const { return open_matches_; }
  void advance(OpenMatches::Threads& threads, std::string_view text, std::size_t from,
               std::uint64_t origin) const;

  // The first place at or after `floor` from which `pattern` matches up to `end`, no further than
  // its longest match; `end` itself when there is none.
  std::size_t begin_of(std::uint32_t pattern, std::string_view text, std::size_t floor,
                       std::size_t end) const;
  // The longest match of `pattern` from `begin` on; `begin` itself when there is none.
  std::size_t end_of(std::uint32_t pattern, std::string_view text, std::size_t begin) const;
  // The value in a match: the first capturing group, or all of it; empty when `text` between
  // begin and end is no match, or the group took no part.
  Range value_in(std::uint32_t pattern, std::string_view text, Range match) const;

  std::size_t database_bytes() const;
  std::size_t scratch_bytes() const;

 private:
  struct Pattern;
  struct Workspace;
  WorkspacePool<Workspace>::Lease lease() const;
  // An automaton of some of the patterns, and where it needs to run.
  struct Group {
    std::optional<Evidence> evidence;  // Everywhere without.
    std::size_t reach = 0;             // The longest match.
    std::vector<unsigned> patterns;    // Indices.
    hs_database* database = nullptr;
  };
  static constexpr std::size_t kNear = 64;  // Matches up to this length are in a group of theirs,
  static constexpr std::size_t kFar = 256;  // and those up to this one; longer ones are everywhere.

  PatternSet();
  Group& group_for(const PatternShape* shape, std::size_t max_length);
  static std::expected<void, CompileError> compile_group(Group& group,
                                                         const std::vector<PatternSource>& sources,
                                                         const DatabaseCache& cache);
  void scan_range(const Group& group, Workspace& workspace, std::string_view text, Range range,
                  std::vector<MatchEnd>& ends) const;

  std::vector<Pattern> patterns_;
  OpenMatches open_matches_;
  std::vector<Group> groups_;
  mutable WorkspacePool<Workspace> workspaces_;
};

}  // namespace agentsh::dlp
