// Hits of one logical text as it streams. The hits, their order and their offsets are the same for
// every chunking of the same text.
//
// How: text is held until no match can be open over its end any more. How far back one could be is
// asked of an automaton of all patterns' prefixes, run backwards from the end
// (open_matches.h): usually to the beginning of the last word. What is settled is scanned as one
// block, so a stream has no automaton state of its own and costs only the bytes that it holds.
//
// Threads: one owner.
#pragma once

#include "dlp/detector.h"
#include "dlp/hit.h"
#include "dlp/profile.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class ScanStream {
 public:
  // Hits that overlap each other without an end are cut at this length.
  static constexpr std::size_t kMaxCluster = kMaxMatch;
  // The most that is held back: a chain of overlapping hits, a match that could be open behind it,
  // and the context that it may need.
  static constexpr std::size_t kMaxHeld = kMaxCluster + kMaxMatch + kMaxContext;

  // A hit and its value, which is valid until the next call.
  struct Found {
    Hit hit;
    std::string_view value;
    bool placeholder = false;  // Looks like a placeholder; the hit has no detector.
  };

  // With `placeholders`, text of a placeholder's form is a hit as well.
  ScanStream(std::shared_ptr<const Profile> profile, bool placeholders);

  // A new text begins, with `left_context` before it (at most kMaxContext bytes are looked at).
  void begin(std::string_view left_context);
  // Both append hits that are settled now, in order.
  void push(std::string_view text, std::vector<Found>& found);
  void finish(std::vector<Found>& found);
  // Offset before which all hits are known and none reaches beyond.
  std::uint64_t settled() const { return settled_; }

 private:
  void settle(bool at_end, std::vector<Found>& found);

  std::shared_ptr<const Profile> profile_;
  bool placeholders_;
  std::string window_;         // Left context, then what is not settled.
  std::size_t floor_ = 0;      // Index in window_ where the unsettled text begins.
  std::uint64_t settled_ = 0;  // Offset of floor_ in the text.
  std::size_t open_at_ = 0;    // Index in window_ from which a match was open at the last look.
};

}  // namespace agentsh::dlp
