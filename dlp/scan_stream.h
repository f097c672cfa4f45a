// Hits of one logical text as it streams. The hits, their order and their offsets are the same for
// every chunking of the same text.
//
// How: text is held until no match can be open over its end any more, which open_matches.h knows
// for text that comes in small pieces: usually the last word is held. Of large pieces the longest
// match's length is held. What is settled is scanned as one block, so a stream has no automaton's
// state and costs little more than the bytes that it holds.
//
// Threads: one owner.
#pragma once

#include "dlp/detector.h"
#include "dlp/hit.h"
#include "dlp/profile.h"
#include "dlp/scan_engine.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class ScanStream {
 public:
  // Hits that overlap each other without an end are cut at this length.
  static constexpr std::size_t kMaxCluster = kMaxMatch;
  // Large pieces (of 8 KiB and more) are gathered up to this size before they are scanned.
  static constexpr std::size_t kBulk = 192 << 10;
  // The most that is held back of small pieces: a chain of overlapping hits, the last of them, a
  // match that could be open behind it and context, and what comes in before they are looked at
  // again. And of any.
  static constexpr std::size_t kMaxHeldOfSmall =
      (kMaxCluster + 2 * kMaxMatch + kMaxContext) * 5 / 4;
  static constexpr std::size_t kMaxHeld = kMaxHeldOfSmall + 2 * kBulk;

  struct Found {
    Hit hit;
    std::string_view value;  // Valid during the call of the receiver.
    // The value has the form of a placeholder; the hit has no detector then.
    bool is_placeholder() const { return hit.detector == kPlaceholderDetector; }
  };
  using Receiver = std::function<void(const Found&)>;

  // `vault` may be null when `placeholders` is not kIssued.
  explicit ScanStream(std::shared_ptr<const Profile> profile,
                      PlaceholderRule placeholders = PlaceholderRule::kIgnore,
                      std::shared_ptr<const Vault> vault = nullptr);

  // A new text begins, with `left_context` before it (its last kMaxContext bytes count). Matches
  // may begin in it; of values only what is in the text is reported.
  void begin(std::string_view left_context);
  // Both call `receive` for the hits that are settled now, in order. `last` may be all of the text.
  void push(std::string_view text, const Receiver& receive);
  void finish(std::string_view last, const Receiver& receive);
  // Offset before which all hits are known and none reaches beyond.
  std::uint64_t settled() const { return settled_ > context_ ? settled_ - context_ : 0; }

 private:
  void add(std::string_view text);
  std::size_t open_index(bool is_large);
  void settle(std::size_t open, bool at_end, const Receiver& receive);

  std::shared_ptr<const Profile> profile_;
  PlaceholderRule placeholders_;
  std::shared_ptr<const Vault> vault_;
  std::string window_;         // What is settled and still context, then what is not settled.
  std::size_t context_ = 0;    // Bytes of left context, the beginning of what was added to window_.
  std::size_t floor_ = 0;      // Index in window_ where what is not settled begins.
  std::uint64_t settled_ = 0;  // Its offset, left context included.
  std::size_t look_at_ = 0;    // Matches are looked for when none is open from there or before.
  ScanEngine::OpenState open_;  // Of what could be open,
  std::uint64_t followed_ = 0;  // up to this offset.
  bool after_large_ = false;    // The last piece was a large one.
  std::vector<Hit> hits_;       // Reused.
};

}  // namespace agentsh::dlp
