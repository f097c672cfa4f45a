#include "proxy/llm/nested_json.h"

#include "proxy/llm/json_lexer.h"

#include <algorithm>

namespace agentsh::llm {
namespace {

constexpr std::string_view kBetweenStrings = " \t\r\n{}[]:,+-.0123456789eEtrufalsn";
constexpr std::size_t kMaxKey = 64;
constexpr std::size_t kMaxEscape = 12;  // Two halves of a pair.

// How long the escape at the start of `text` is; 0 when more is needed to say.
std::size_t escape_size(std::string_view text, bool at_end) {
  if (text.size() < 2) return at_end ? text.size() : 0;
  if (text[1] != 'u') return 2;
  if (text.size() < 6) return at_end ? text.size() : 0;
  const char half = text[2] == 'd' || text[2] == 'D' ? text[3] : '0';
  const bool high =
      half == '8' || half == '9' || half == 'a' || half == 'b' || half == 'A' || half == 'B';
  if (!high) return 6;
  // The first half of a pair: its other half may follow.
  const std::string_view rest = text.substr(6);
  if (!at_end && rest.size() < 6 && std::string_view("\\u").starts_with(rest.substr(0, 2)))
    return 0;
  const bool pair = rest.size() >= 6 && rest.starts_with("\\u") &&
                    (rest[2] == 'd' || rest[2] == 'D') &&
                    ((rest[3] >= 'c' && rest[3] <= 'f') || (rest[3] >= 'C' && rest[3] <= 'F'));
  return pair ? kMaxEscape : 6;
}

}  // namespace

void NestedJson::begin(const dlp::TextOrigin& origin) {
  field_ = origin.field;
  key_.clear();
  pending_.clear();
  position_ = 0;
  in_ = In::kGap;
  open_ = false;
  open(In::kGap);
}

void NestedJson::open(In where) {
  in_ = where;
  part_begin_ = position_;
  decoded_ = 0;
  escapes_.clear();
  gap_is_json_ = true;
  // The string before a colon is the key of this one (dlp::JsonEditor gives it the same way).
  std::string context;
  if (where == In::kString && gap_has_colon_) context = key_ + ": ";
  gap_has_colon_ = false;
  inner_.begin({.left_context = context, .field = field_});
  open_ = true;
  if (where == In::kString) key_.clear();
}

void NestedJson::close(std::vector<dlp::Edit>& edits) {
  inner_.finish({}, inner_edits_);
  translate(edits);
  open_ = false;
}

void NestedJson::push(std::string_view text, std::vector<dlp::Edit>& edits) {
  take(text, false, edits);
}

void NestedJson::finish(std::string_view last, std::vector<dlp::Edit>& edits) {
  take(last, true, edits);
  close(edits);
}

void NestedJson::take(std::string_view text, bool at_end, std::vector<dlp::Edit>& edits) {
  std::string joined;
  if (!pending_.empty()) {
    joined = pending_ + std::string(text);
    pending_.clear();
    text = joined;
  }
  while (!text.empty()) {
    if (in_ == In::kString) {
      const std::size_t taken = take_string(text, at_end, edits);
      if (taken == 0) {
        pending_ = text;
        return;
      }
      text.remove_prefix(taken);
      continue;
    }
    const std::size_t size = std::min(text.find('"'), text.size());
    feed_plain(text.substr(0, size), edits);
    text.remove_prefix(size);
    if (text.empty()) return;
    close(edits);
    ++position_;
    text.remove_prefix(1);
    open(In::kString);
  }
}

// What was taken of `text`, which is inside a string; 0: an escape needs more.
std::size_t NestedJson::take_string(std::string_view text, bool at_end,
                                    std::vector<dlp::Edit>& edits) {
  if (text.front() == '"') {
    close(edits);
    ++position_;
    open(In::kGap);
    return 1;
  }
  if (text.front() == '\\') {
    const std::size_t size = escape_size(text, at_end);
    if (size > 0) feed_escape(text.substr(0, size), edits);
    return size;
  }
  const std::size_t size = std::min(text.find_first_of("\"\\"), text.size());
  feed_plain(text.substr(0, size), edits);
  return size;
}

void NestedJson::feed_plain(std::string_view text, std::vector<dlp::Edit>& edits) {
  if (text.empty()) return;
  if (in_ == In::kString && key_.size() < kMaxKey) key_ += text.substr(0, kMaxKey - key_.size());
  if (in_ == In::kGap) {
    gap_has_colon_ = gap_has_colon_ || text.find(':') != std::string_view::npos;
    gap_is_json_ =
        gap_is_json_ && text.find_first_not_of(kBetweenStrings) == std::string_view::npos;
  }
  position_ += text.size();
  decoded_ += text.size();
  inner_.push(text, inner_edits_);
  translate(edits);
}

void NestedJson::feed_escape(std::string_view escape, std::vector<dlp::Edit>& edits) {
  std::string decoded;
  if (!json_unescape(escape, decoded)) decoded = escape;  // Not one: its bytes are the text.
  escapes_.push_back({position_, position_ + escape.size(), decoded_, decoded_ + decoded.size()});
  position_ += escape.size();
  decoded_ += decoded.size();
  inner_.push(decoded, inner_edits_);
  translate(edits);
}

std::uint64_t NestedJson::source_begin(std::uint64_t decoded) const {
  // The last escape that begins at or before the place.
  const auto after = std::ranges::upper_bound(escapes_, decoded, {}, &Escape::decoded);
  if (after == escapes_.begin()) return part_begin_ + decoded;
  const Escape& escape = *std::prev(after);
  if (decoded < escape.decoded_end) return escape.source;
  return escape.source_end + (decoded - escape.decoded_end);
}

std::uint64_t NestedJson::source_end(std::uint64_t decoded) const {
  const auto after = std::ranges::lower_bound(escapes_, decoded, {}, &Escape::decoded);
  if (after == escapes_.begin()) return part_begin_ + decoded;
  const Escape& escape = *std::prev(after);
  if (decoded <= escape.decoded_end) return escape.source_end;
  return escape.source_end + (decoded - escape.decoded_end);
}

void NestedJson::translate(std::vector<dlp::Edit>& edits) {
  for (dlp::Edit& edit : inner_edits_) {
    std::string replacement;
    if (in_ == In::kString) {
      json_escape(edit.replacement, replacement);
    } else if (gap_is_json_) {
      replacement += '"';
      json_escape(edit.replacement, replacement);
      replacement += '"';
    } else {
      replacement = std::move(edit.replacement);
    }
    edits.push_back({source_begin(edit.begin), source_end(edit.end), std::move(replacement)});
  }
  inner_edits_.clear();
  forget_settled();
}

// Escapes before what is settled are needed no more, but for the last, which places are counted
// from.
void NestedJson::forget_settled() {
  if (escapes_.size() < 64) return;
  const auto keep = std::ranges::upper_bound(escapes_, inner_.settled(), {}, &Escape::decoded_end);
  if (keep - escapes_.begin() > 32) escapes_.erase(escapes_.begin(), std::prev(keep));
}

std::uint64_t NestedJson::settled() const {
  if (!open_) return position_;
  return std::min(source_begin(inner_.settled()), position_);
}

}  // namespace agentsh::llm
