// The work behind Scanner and ScanStream: from a window of text to the hits in it that can no
// longer change.
//
// What makes hits independent of chunking: for each pattern, matches are taken in the order of
// their ends (the first end, its leftmost beginning, from there the longest end that passes the
// validators); a window is settled up to a place that no match, valid or not, reaches across, and
// from which no match could still be open. So nothing before that place can depend on what comes
// after it, nor the other way round.
//
// Threads: immutable, any.
#pragma once

#include "dlp/detector.h"
#include "dlp/held_set.h"
#include "dlp/hit.h"
#include "dlp/pattern_set.h"
#include "dlp/profile.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class Vault;

// Stands for placeholders among detectors.
inline constexpr std::uint32_t kPlaceholderDetector = 0xffffffff;

// What is done about text of a placeholder's form.
enum class PlaceholderRule : std::uint8_t {
  kIgnore,
  kReport,  // Each is a hit like others.
  kIssued,  // Those that the vault issued are hits, and hide others that they overlap.
};

class ScanEngine {
 public:
  static Result<std::unique_ptr<ScanEngine>> build(std::vector<Detector> detectors,
                                                   const DatabaseCache& cache);
  Result<std::unique_ptr<ScanEngine>> with_held(
      std::span<const std::pair<Detector, std::string>> secrets) const;

  std::span<const Detector> detectors() const { return detectors_; }
  std::optional<std::uint32_t> find(std::string_view id) const;
  std::size_t database_bytes() const;
  std::size_t scratch_bytes() const;

  struct Task {
    const Profile& profile;
    PlaceholderRule placeholders = PlaceholderRule::kIgnore;
    const Vault* vault = nullptr;
  };
  // What a stream knows of matches that could be open, for each of the parts.
  using OpenState = std::vector<OpenMatches::Threads>;
  // Follows what could be open over window[from...]; `origin` is the offset of window[0].
  void advance(OpenState& state, std::string_view window, std::size_t from,
               std::uint64_t origin) const;
  // The first offset from which a match could be open.
  std::uint64_t open_from(const OpenState& state, std::uint64_t end) const;
  // The longest match of any pattern.
  std::size_t longest() const;
  // Appends the hits between `floor` and the index that is returned, in order and by their index
  // in the window. Nothing before that index can change any more. No match is open that begins
  // before `open`, which is the window's size when the text ends there (`at_end`).
  std::size_t settle(const Task& task, std::string_view window, std::size_t floor, std::size_t open,
                     bool at_end, std::vector<Hit>& hits) const;

 private:
  // What was compiled together: patterns, or secrets.
  struct Part {
    std::unique_ptr<PatternSet> patterns;
    std::unique_ptr<HeldSet> held;
    std::vector<std::uint32_t> detectors;  // By pattern, or by form of a secret.

    const OpenMatches& open_matches() const {
      return held ? held->open_matches() : patterns->open_matches();
    }
  };
  struct Group;
  class Search;

  std::vector<Detector> detectors_;
  std::map<std::string, std::uint32_t, std::less<>> by_id_;
  std::vector<std::shared_ptr<const Part>> parts_;
};

}  // namespace agentsh::dlp
