#include "dlp/splice.h"

#include <algorithm>

namespace agentsh::dlp {

void Splice::begin(const TextOrigin& origin) {
  edits_.clear();
  stretches_.clear();
  first_ = 0;
  kept_.clear();
  kept_used_ = 0;
  decoded_.clear();
  received_ = 0;
  editor_.begin(origin);
}

void Splice::add_literal(std::string_view raw) {
  if (raw.empty()) return;
  const std::uint64_t size = raw.size();
  if (first_ < stretches_.size() && stretches_.back().is_literal) {
    stretches_.back().decoded_size += size;
    stretches_.back().raw_size += size;
  } else {
    stretches_.push_back({received_, size, size, true});
  }
  received_ += size;
  kept_.append(raw);
  decoded_.append(raw);
}

void Splice::add_escape(std::string_view decoded, std::string_view raw) {
  stretches_.push_back({received_, decoded.size(), raw.size(), false});
  received_ += decoded.size();
  kept_.append(raw);
  decoded_.append(decoded);
}

void Splice::push(std::string& out) {
  editor_.push(decoded_, edits_);
  decoded_.clear();
  apply(out);
}

bool Splice::finish(std::string& out) {
  editor_.finish(decoded_, edits_);
  decoded_.clear();
  if (editor_.settled() != received_) return false;
  apply(out);
  return true;
}

bool Splice::show_whole(std::string_view decoded) {
  edits_.clear();
  editor_.finish(decoded, edits_);
  return editor_.settled() == decoded.size();
}

void Splice::edit_shown(std::string& out) {
  decoded_.clear();
  apply(out);
}

bool Splice::edit_whole(std::string_view raw, std::string& out) {
  if (!show_whole(raw)) return false;
  std::size_t used = 0;
  for (const Edit& edit : edits_) {
    out.append(raw, used, edit.begin - used);
    encode_(out, edit.replacement);
    used = edit.end;
  }
  out.append(raw, used);
  return true;
}

void Splice::apply(std::string& out) {
  for (const Edit& edit : edits_) {
    move_until(widened(edit.begin, false), &out);
    encode_(out, edit.replacement);
    move_until(widened(edit.end, true), nullptr);
  }
  edits_.clear();
  move_until(widened(editor_.settled(), false), &out);
  forget_what_is_out();
}

void Splice::forget_what_is_out() {
  if (first_ == stretches_.size()) {
    stretches_.clear();
    kept_.clear();
    first_ = kept_used_ = 0;
  } else if (kept_used_ > 4096) {
    kept_.erase(0, kept_used_);
    kept_used_ = 0;
    stretches_.erase(stretches_.begin(), stretches_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

// An offset within an escape, moved to the escape's beginning or end.
std::uint64_t Splice::widened(std::uint64_t decoded, bool up) const {
  const auto begin = stretches_.begin() + static_cast<std::ptrdiff_t>(first_);
  const auto after = std::upper_bound(
      begin, stretches_.end(), decoded,
      [](std::uint64_t at, const Stretch& stretch) { return at < stretch.decoded; });
  if (after == begin) return decoded;
  const Stretch& stretch = *std::prev(after);
  const std::uint64_t end = stretch.decoded + stretch.decoded_size;
  if (stretch.is_literal || decoded == stretch.decoded || decoded >= end) return decoded;
  return up ? end : stretch.decoded;
}

// Moves everything before `decoded` out, or away when there is no `out`.
void Splice::move_until(std::uint64_t decoded, std::string* out) {
  while (first_ < stretches_.size() && stretches_[first_].decoded < decoded) {
    Stretch& stretch = stretches_[first_];
    std::uint64_t raw_size = stretch.raw_size;
    if (stretch.decoded + stretch.decoded_size <= decoded) {
      ++first_;
    } else {
      raw_size = decoded - stretch.decoded;
      stretch.decoded = decoded;
      stretch.decoded_size -= raw_size;
      stretch.raw_size = stretch.decoded_size;
    }
    if (out != nullptr) out->append(kept_, kept_used_, raw_size);
    kept_used_ += raw_size;
  }
}

}  // namespace agentsh::dlp
