#include "proxy/llm/field_editor.h"

namespace agentsh::llm {
namespace {

constexpr std::string_view kDataScheme = "data:";
constexpr std::size_t kMaxType = 32;

// Tells the object that a member stands in from all others of the document.
std::uint64_t owner_of(const dlp::JsonPath& path) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (std::size_t level = 0; level + 1 < path.depth(); ++level) {
    const dlp::JsonPath::Step step = path.step(level);
    mix(step.in_array ? step.index + 1 : 0);
    for (char c : step.key) mix(static_cast<unsigned char>(c));
  }
  return hash;
}

}  // namespace

bool FieldEditor::wants(const dlp::JsonPath& path, dlp::JsonText what) {
  if (what == dlp::JsonText::kKey) return false;
  FieldMap::Place place = map_.root();
  for (std::size_t level = 0; level < path.depth(); ++level) {
    const dlp::JsonPath::Step step = path.step(level);
    place = step.in_array ? map_.element(place) : map_.member(place, step.key);
  }
  if (what == dlp::JsonText::kNumber) {
    mode_ = Mode::kText;
    return place.text == TextUse::kFree;
  }
  const bool member = path.depth() > 0 && !path.step(path.depth() - 1).in_array;
  owner_ = owner_of(path);
  if (member && path.step(path.depth() - 1).key == "type" && place.text == TextUse::kLeave) {
    mode_ = Mode::kType;
    return true;
  }
  switch (place.text) {
    case TextUse::kLeave:
      return false;
    case TextUse::kJson:
    case TextUse::kJsonDelta:
      mode_ = Mode::kJson;
      return true;
    case TextUse::kDataUrl:
      mode_ = Mode::kDataUrl;
      return true;
    case TextUse::kTyped:
      if (type_owner_ == owner_ && type_ == "base64") return false;
      [[fallthrough]];
    default:
      mode_ = Mode::kText;
      return true;
  }
}

void FieldEditor::begin(const dlp::TextOrigin& origin) {
  seen_ = 0;
  start_.clear();
  origin_ = origin;
  if (mode_ == Mode::kText) inner_.begin(origin);
  if (mode_ == Mode::kJson) nested_.begin(origin);
}

// Whether a text is a data: URL is known after five bytes. True once it is; what was kept until
// then has then gone where it belongs.
bool FieldEditor::decide(bool at_end, std::vector<dlp::Edit>& edits) {
  const bool known = start_.size() >= kDataScheme.size();
  if (!known && !at_end && kDataScheme.starts_with(start_)) return false;
  if (start_.starts_with(kDataScheme)) {
    mode_ = Mode::kSkip;
    seen_ = start_.size();
    return true;
  }
  mode_ = Mode::kText;
  // The origin's views are good during begin() only: by now there is no left context.
  inner_.begin({.left_context = {}, .field = origin_.field});
  inner_.push(start_, edits);
  return true;
}

void FieldEditor::push(std::string_view text, std::vector<dlp::Edit>& edits) {
  switch (mode_) {
    case Mode::kText:
      inner_.push(text, edits);
      return;
    case Mode::kJson:
      nested_.push(text, edits);
      return;
    case Mode::kDataUrl:
      start_ += text;
      decide(false, edits);
      return;
    case Mode::kType:
      seen_ += text.size();
      start_ += text.substr(0, kMaxType);
      return;
    case Mode::kSkip:
      seen_ += text.size();
  }
}

void FieldEditor::finish(std::string_view last, std::vector<dlp::Edit>& edits) {
  if (mode_ == Mode::kDataUrl) {
    start_ += last;
    last = {};
    decide(true, edits);
  }
  switch (mode_) {
    case Mode::kText:
      inner_.finish(last, edits);
      return;
    case Mode::kJson:
      nested_.finish(last, edits);
      return;
    case Mode::kType:
      seen_ += last.size();
      type_ = start_ + std::string(last.substr(0, kMaxType));
      type_owner_ = owner_;
      return;
    case Mode::kDataUrl:
    case Mode::kSkip:
      seen_ += last.size();
  }
}

std::uint64_t FieldEditor::settled() const {
  switch (mode_) {
    case Mode::kText:
      return inner_.settled();
    case Mode::kJson:
      return nested_.settled();
    case Mode::kDataUrl:
      return 0;
    case Mode::kType:
    case Mode::kSkip:
      break;
  }
  return seen_;
}

}  // namespace agentsh::llm
