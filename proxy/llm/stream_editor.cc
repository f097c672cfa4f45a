#include "proxy/llm/stream_editor.h"

#include <algorithm>

namespace agentsh::llm {
namespace {

constexpr std::string_view kDone = "[DONE]";

const FieldMap& events_of(const StreamEditor::Options& options) {
  return fields_of(options.dialect, options.model).event;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

StreamEditor::StreamEditor(const Options& options, AnswerFacts& facts)
    : map_(events_of(options)),
      dialect_(options.dialect),
      family_(family_of(options.dialect)),
      policy_(options.policy),
      facts_(facts),
      drop_usage_event_(options.drop_usage_event),
      active_(options.policy.active()) {
  // Anthropic's events, whoever carries them.
  if (&map_ == &messages_fields().event) {
    dialect_ = Dialect::kMessages;
    family_ = Family::kAnthropic;
  }
  if (!active_) return;
  whole_ = std::make_unique<AnswerEditor>(policy_);
  whole_json_ = std::make_unique<NestedJson>(whole_->editor());
}

// ---- Reading an event.

bool StreamEditor::read(std::string_view data) {
  pieces_.clear();
  outer_.clear();
  inner_.clear();
  thoughts_.clear();
  finished_.clear();
  choices_empty_ = in_choices_ = usage_given_ = false;
  std::string head;
  FieldReader reader(map_);
  FieldReader::Token token;
  reader.feed(data);
  JsonStep step = reader.next(token);
  for (; step == JsonStep::kToken; step = reader.next(token)) {
    take(token);
    const bool named = active_ && family_ == Family::kOpenAi && reader.depth() == 1 &&
                       is_one_of(token.key, {"id", "object", "created", "model"});
    if (!named || token.kind == JsonKind::kObjectEnd || token.kind == JsonKind::kArrayEnd) continue;
    head.append("\"").append(token.key).append("\":");
    head.append(data.substr(token.begin, token.end - token.begin)).append(",");
  }
  if (step == JsonStep::kNeedMore && reader.finish(token) != JsonStep::kNeedMore) return false;
  if (!head.empty()) chat_head_ = std::move(head);
  return step == JsonStep::kNeedMore;
}

namespace {

std::uint32_t small_number(const FieldReader::Token& token) {
  std::uint32_t value = 0;
  for (char c : token.text.substr(0, 6)) {
    if (c < '0' || c > '9') break;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return value;
}

}  // namespace

void StreamEditor::take(const FieldReader::Token& token) {
  switch (token.place.field) {
    case Field::kOuterIndex:
      if (token.kind == JsonKind::kNumber) outer_.push_back({token.element, small_number(token)});
      return;
    case Field::kInnerIndex:
      if (token.kind == JsonKind::kNumber) inner_.push_back({token.element, small_number(token)});
      return;
    case Field::kThought:
      if (token.kind == JsonKind::kTrue) thoughts_.push_back({token.element, 1});
      return;
    case Field::kChoices:
      if (token.kind == JsonKind::kArrayBegin) choices_empty_ = true;
      return;
    case Field::kUsage:
      usage_given_ = usage_given_ || token.kind == JsonKind::kObjectBegin;
      return;
    case Field::kEventType:
      if (token.kind == JsonKind::kString) type_ = token.text;
      return;
    case Field::kFinishReason:
      if (token.kind == JsonKind::kString) finished_.push_back({token.element, 1});
      facts_.take(token);
      return;
    default:
      if (token.place.field != Field::kNone) facts_.take(token);
  }
  // The elements of `choices` have a place of their own, below the array's.
  if (token.kind == JsonKind::kObjectBegin) choices_empty_ = choices_empty_ && token.key != "";
  if (token.kind != JsonKind::kString || token.place.text == TextUse::kLeave) return;
  const bool delta = token.place.text == TextUse::kDelta || token.place.text == TextUse::kJsonDelta;
  pieces_.push_back({.token = token, .key = {}, .use = token.place.text, .delta = delta});
}

bool StreamEditor::outer_of(const Piece& piece, std::uint32_t& value) const {
  for (const Index& index : outer_) {
    if (index.element[0] != piece.token.element[0]) continue;
    value = index.value;
    return true;
  }
  value = piece.token.element[0];
  return false;
}

// What `delta` of Responses and Realtime holds, which the event's type says.
TextUse StreamEditor::use_of_delta(const Piece& piece) const {
  if (dialect_ != Dialect::kResponses && dialect_ != Dialect::kRealtime) return piece.use;
  if (type_.find("arguments") != std::string::npos) return TextUse::kJsonDelta;
  const bool audio = type_.ends_with("audio.delta") || type_.find("image") != std::string::npos;
  return audio ? TextUse::kLeave : TextUse::kDelta;
}

namespace {

Slot slot_of_type(std::string_view type) {
  if (type.find("arguments") != std::string_view::npos) return Slot::kArguments;
  if (type.find("reasoning") != std::string_view::npos) return Slot::kReasoning;
  if (type.find("refusal") != std::string_view::npos) return Slot::kRefusal;
  if (type.find("transcript") != std::string_view::npos) return Slot::kTranscript;
  return type.find("text") != std::string_view::npos ? Slot::kContent : Slot::kOther;
}

}  // namespace

void StreamEditor::resolve_keys() {
  const bool typed = dialect_ == Dialect::kResponses || dialect_ == Dialect::kRealtime;
  for (Piece& piece : pieces_) {
    if (!piece.delta) continue;
    piece.use = use_of_delta(piece);
    piece.delta = piece.use != TextUse::kLeave;
    piece.key.slot = typed ? slot_of_type(type_) : piece.token.place.slot;
    outer_of(piece, piece.key.outer);
    if (typed || piece.key.slot == Slot::kArguments) {
      for (const Index& index : inner_) {
        if (index.element == piece.token.element) piece.key.inner = index.value;
      }
    }
    for (const Index& thought : thoughts_) {
      if (thought.element == piece.token.element) piece.key.slot = Slot::kReasoning;
    }
  }
}

// Notes the end that the dialect's streams have.
void StreamEditor::note_event_type(std::string_view type) {
  const bool end = is_one_of(type, {"message_stop", "response.completed", "response.incomplete",
                                    "response.failed", "response.done", "messageStop"}) ||
                   ((family_ == Family::kGemini || dialect_ == Dialect::kChat ||
                     dialect_ == Dialect::kCompletions) &&
                    !finished_.empty());
  facts_.complete = facts_.complete || end;
  if (facts_.finish_reason.empty() && type.starts_with("response.") && end) {
    facts_.finish_reason = type.substr(std::string_view("response.").size());
  }
}

// ---- Editing it.

void StreamEditor::process(std::string_view data, std::string_view type, EventOutcome& outcome) {
  outcome.clear();
  type_ = type;
  if (!read(data)) {
    if (data == kDone) {
      facts_.complete = true;
      finish(outcome);
    } else if (active_) {
      outcome.data = dlp::edit_text(whole_->editor(), data);
      outcome.changed = outcome.data != data;
    }
    return;
  }
  note_event_type(type_);
  outcome.drop = drop_usage_event_ && choices_empty_ && usage_given_;
  if (!active_) return;
  resolve_keys();
  end_others(outcome);
  edit(data, outcome);
  end_texts(outcome);
}

void StreamEditor::edit(std::string_view data, EventOutcome& outcome) {
  std::size_t done = 0;
  std::string replaced;
  for (const Piece& piece : pieces_) {
    if (piece.use == TextUse::kLeave) continue;
    replaced.clear();
    if (!edit_piece(piece, data, replaced)) continue;
    outcome.changed = true;
    outcome.data.append(data.substr(done, piece.token.begin - done)).append(replaced);
    done = piece.token.end;
  }
  if (outcome.changed) outcome.data.append(data.substr(done));
}

// Whether the string changes; `out` is then the new one, with quotes.
bool StreamEditor::edit_piece(const Piece& piece, std::string_view data, std::string& out) {
  const std::string_view raw = piece.token.text;
  // A placeholder has an underscore in it, or an escape that hides one.
  if (!piece.delta && whole_->redactor() == nullptr &&
      raw.find_first_of("_\\") == std::string_view::npos) {
    return false;
  }
  std::string_view text = raw;
  if (piece.token.escaped) {
    scratch_.clear();
    if (!json_unescape(raw, scratch_)) return false;
    text = scratch_;
  }
  std::string edited;
  if (Text* owner = piece.delta ? text_of(piece) : nullptr) {
    edit_delta(*owner, piece, text, data, edited);
  } else if (piece.use == TextUse::kJson || piece.use == TextUse::kJsonDelta) {
    edited = dlp::edit_text(*whole_json_, text);
  } else if (piece.use == TextUse::kDataUrl && text.starts_with("data:")) {
    return false;
  } else {
    edited = dlp::edit_text(whole_->editor(), text);
  }
  if (edited == text) return false;
  out += '"';
  json_escape(edited, out);
  out += '"';
  return true;
}

void StreamEditor::edit_delta(Text& owner, const Piece& piece, std::string_view text,
                              std::string_view data, std::string& out) {
  owner.filter->push(text, out);
  if (ends(piece.key)) owner.filter->finish(out);
  const bool flat = dialect_ == Dialect::kResponses || dialect_ == Dialect::kRealtime;
  if (!flat || !owner.filter->holds()) return;
  owner.like = data;
  owner.like_begin = piece.token.begin;
  owner.like_end = piece.token.end;
}

// Null when there are too many.
StreamEditor::Text* StreamEditor::text_of(const Piece& piece) {
  for (Text& text : texts_) {
    if (text.key == piece.key) return &text;
  }
  if (texts_.size() >= kMaxTexts) return nullptr;
  const FilterKind kind = piece.use == TextUse::kJsonDelta ? FilterKind::kJson : FilterKind::kText;
  texts_.push_back({.key = piece.key,
                    .kind = kind,
                    .filter = std::make_unique<TextFilter>(policy_, kind),
                    .like = {}});
  return &texts_.back();
}

// ---- Ends of texts.

// Does the event that was read end the text?
bool StreamEditor::ends(const Key& key) const {
  const auto same_outer = [this, &key] {
    return outer_.empty() || outer_.front().value == key.outer;
  };
  switch (family_) {
    case Family::kAnthropic:
      return (type_ == "content_block_stop" && same_outer()) ||
             is_one_of(type_, {"message_delta", "message_stop", "error"});
    case Family::kBedrock:
      return (type_ == "contentBlockStop" && same_outer()) ||
             is_one_of(type_, {"messageStop", "metadata"});
    default:
      break;
  }
  if (dialect_ == Dialect::kResponses || dialect_ == Dialect::kRealtime) {
    if (is_one_of(type_, {"response.completed", "response.incomplete", "response.failed",
                          "response.done", "error"})) {
      return true;
    }
    if (!type_.ends_with(".done") && !type_.ends_with(".completed")) return false;
    return same_outer() && (inner_.empty() || inner_.front().value == key.inner);
  }
  return std::ranges::any_of(finished_, [this, &key](const Index& end) {
    for (const Index& index : outer_) {
      if (index.element[0] == end.element[0]) return index.value == key.outer;
    }
    return end.element[0] == key.outer;
  });
}

void StreamEditor::end_texts(EventOutcome& outcome) {
  for (Text& text : texts_) {
    if (ends(text.key)) flush(text, outcome);
  }
}

// Where no event says that a text is over, the next text of the same choice does.
void StreamEditor::end_others(EventOutcome& outcome) {
  const bool chat = family_ == Family::kOpenAi && dialect_ != Dialect::kResponses &&
                    dialect_ != Dialect::kRealtime;
  if (!chat && family_ != Family::kGemini) return;
  for (const Piece& piece : pieces_) {
    if (!piece.delta || piece.token.text.empty()) continue;
    for (Text& text : texts_) {
      const bool in_event = std::ranges::any_of(pieces_, [&text](const Piece& other) {
        return other.delta && other.key == text.key && !other.token.text.empty();
      });
      if (text.key.outer == piece.key.outer && !in_event) flush(text, outcome);
    }
  }
}

void StreamEditor::flush(Text& text, EventOutcome& outcome) {
  if (!text.filter->holds()) return;
  std::string rest;
  text.filter->finish(rest);
  if (!rest.empty()) outcome.before.push_back(event_for(text, rest));
}

void StreamEditor::finish(EventOutcome& outcome) {
  for (Text& text : texts_) flush(text, outcome);
}

std::vector<const dlp::Redactor*> StreamEditor::redactors() const {
  std::vector<const dlp::Redactor*> found;
  if (whole_ != nullptr && whole_->redactor() != nullptr) found.push_back(whole_->redactor());
  for (const Text& text : texts_) {
    if (text.filter->redactor() != nullptr) found.push_back(text.filter->redactor());
  }
  return found;
}

const dlp::Redactor* StreamEditor::blocked() const {
  if (policy_.profile == nullptr) return nullptr;
  for (const dlp::Redactor* redactor : redactors()) {
    if (redactor->blocked()) return redactor;
  }
  return nullptr;
}

}  // namespace agentsh::llm
