#include "dlp/scan_stream.h"

#include "dlp/scanner.h"

#include <algorithm>

namespace agentsh::dlp {
namespace {

// From this size on a piece is large: what could be open at its end is not looked for.
constexpr std::size_t kLarge = 8 << 10;

constexpr std::size_t kKeptRoom = 32 << 10;
// What is kept before the unsettled text: context, and a byte to see where its first word begins.
constexpr std::size_t kKept = kMaxContext + 16;

}  // namespace

ScanStream::ScanStream(std::shared_ptr<const Profile> profile, PlaceholderRule placeholders,
                       std::shared_ptr<const Vault> vault)
    : profile_(std::move(profile)), placeholders_(placeholders), vault_(std::move(vault)) {}

void ScanStream::begin(std::string_view left_context) {
  // A long text is no reason to keep its room for short ones.
  if (window_.capacity() > kKeptRoom) window_ = {};
  window_.assign(
      left_context.substr(left_context.size() - std::min(left_context.size(), kMaxContext)));
  context_ = window_.size();
  if (!profile_->looks_for_anything()) context_ = 0;
  floor_ = 0;
  look_at_ = 0;
  settled_ = 0;
  open_.clear();
  followed_ = 0;
  after_large_ = false;
}

void ScanStream::push(std::string_view text, const Receiver& receive) {
  if (!profile_->looks_for_anything()) {
    settled_ += text.size();
    return;
  }
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, kBulk);
    text.remove_prefix(piece.size());
    add(piece);
    // Large pieces are gathered, so that what is scanned twice is little; and a small one among
    // them, since following what they left costs more.
    const bool is_large = piece.size() >= kLarge;
    const bool is_gathered = is_large || after_large_;
    const bool is_much = window_.size() - floor_ >= (is_gathered ? kBulk : 2 * kMaxMatch);
    if (is_much) settle(open_index(true), false, receive);
    if (!is_gathered) settle(open_index(false), false, receive);
    after_large_ = is_large;
  }
}

void ScanStream::finish(std::string_view last, const Receiver& receive) {
  if (!profile_->looks_for_anything()) {
    settled_ += last.size();
    return;
  }
  while (last.size() > kBulk) {
    add(last.substr(0, kBulk));
    last.remove_prefix(kBulk);
    settle(open_index(true), false, receive);
  }
  add(last);
  settle(window_.size(), true, receive);
}

// The index in window_ from which a match could be open.
std::size_t ScanStream::open_index(bool is_large) {
  const ScanEngine& engine = profile_->scanner()->engine();
  if (is_large) {
    const std::size_t longest = engine.longest();
    return window_.size() - floor_ > longest ? window_.size() - longest : floor_;
  }
  const std::uint64_t origin = settled_ - floor_;  // Wraps: the offset of the window's beginning.
  const std::uint64_t end = origin + window_.size();
  if (followed_ < settled_) {
    // Behind large pieces, or a cut: what begins from here on matters.
    open_.clear();
    followed_ = settled_;
  }
  engine.advance(open_, window_, static_cast<std::size_t>(followed_ - origin), origin);
  followed_ = end;
  return static_cast<std::size_t>(std::max(engine.open_from(open_, end), settled_) - origin);
}

void ScanStream::add(std::string_view text) {
  if (floor_ > kKept + 4096) {
    const std::size_t gone = floor_ - kKept;
    window_.erase(0, gone);
    floor_ -= gone;
    look_at_ -= gone;
  }
  window_.append(text);
}

void ScanStream::settle(std::size_t open, bool at_end, const Receiver& receive) {
  const ScanEngine& engine = profile_->scanner()->engine();
  // As long as what is open begins at the same place, nothing more is settled.
  if (!at_end && open <= look_at_) return;
  if (open > floor_) {
    hits_.clear();
    const ScanEngine::Task task{*profile_, placeholders_, vault_.get()};
    const std::size_t floor = engine.settle(task, window_, floor_, open, at_end, hits_);
    const std::uint64_t origin = settled_ - floor_;  // Wraps: the offset of the window's beginning.
    settled_ += floor - floor_;
    for (Hit hit : hits_) {
      const std::uint64_t end = hit.end + origin;
      if (end <= context_) continue;
      if (hit.begin + origin < context_) hit.begin = context_ - origin;
      const std::string_view value =
          std::string_view(window_).substr(hit.begin, hit.end - hit.begin);
      hit.begin += origin - context_;
      hit.end = end - context_;
      receive({hit, value});
    }
    // A long chain of matches that nothing ends is not looked at for every byte that joins it.
    const std::size_t wait = floor == floor_ ? (window_.size() - floor_) / 4 : 0;
    floor_ = floor;
    look_at_ = std::max(open, floor_) + wait;
  }
}

}  // namespace agentsh::dlp
