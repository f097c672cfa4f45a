#include "proxy/llm/request_body.h"

#include "dlp/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace agentsh::llm {
namespace {

constexpr std::string_view kAskForUsage = R"("stream_options":{"include_usage":true})";

// Servers that know `stream_options`; others refuse what they do not know, and some of them report
// usage without being asked.
bool knows_stream_options(const Target& target) {
  static constexpr std::array<std::string_view, 3> kReportAnyway = {"mistral_ai", "perplexity",
                                                                    "cerebras"};
  if (target.dialect != Dialect::kChat && target.dialect != Dialect::kCompletions) return false;
  return std::ranges::find(kReportAnyway, target.provider) == kReportAnyway.end();
}

Refusal not_json(std::string_view what) {
  return {
      .status = 400,
      .code = "invalid_json",
      .message = fmt::format("The request's body cannot be read, so it was not sent: {}.", what)};
}

Refusal unreadable(std::string_view what) {
  Refusal refusal = not_json(what);
  refusal.code = "unreadable_body";
  return refusal;
}

// The dialects that we know are JSON, whatever the client says of them; so is what says so.
bool is_json_body(const Target& target, std::string_view content_type) {
  if (target.dialect != Dialect::kOther && target.dialect != Dialect::kRealtime) return true;
  const std::string type = dlp::media_type(content_type);
  return type == "application/json" || type.ends_with("+json");
}

Refusal ambiguous(std::string_view key) {
  return {.status = 400,
          .code = "ambiguous_json",
          .message = fmt::format("The request says \"{}\" twice, so it was not sent.", key)};
}

}  // namespace

RequestBody::RequestBody(const Target& target, const LlmServices& services,
                         std::string_view content_type, bool changes)
    : services_(services),
      fields_(fields_of(target.dialect, target.model)),
      reader_(fields_.request),
      wants_usage_(changes && knows_stream_options(target)),
      changes_(changes),
      is_json_(is_json_body(target, content_type)) {
  facts_.model = target.model;
  facts_.streams = target.streams;
  const auto& profile = services.request_profile;
  if (profile == nullptr || !profile->looks_for_anything()) return;
  redactor_.emplace(profile, services.vault, dlp::Placeholders::kTokenize);
  if (is_json_) {
    field_editor_.emplace(fields_.request, *redactor_);
    editor_.emplace(*field_editor_, dlp::JsonEditorOptions{.filter = &*field_editor_});
  } else if (auto other = dlp::make_body_editor(content_type, *redactor_)) {
    other_editor_ = std::move(*other);
  } else {
    other_error_ = other.error().what;
  }
}

RequestBody::~RequestBody() = default;

std::optional<Refusal> RequestBody::push(std::string_view chunk, bool last, std::string& out) {
  facts_.bytes += chunk.size();
  if (facts_.bytes > services_.max_request_bytes) {
    return Refusal{.status = 413,
                   .code = "request_too_large",
                   .message = fmt::format("The request is larger than {} bytes.",
                                          services_.max_request_bytes)};
  }
  empty_ = empty_ && chunk.empty();
  if (last && empty_) return {};  // Some APIs take requests without a body.
  if (!is_json_) return push_other(chunk, last, out);
  // What was held of the chunk before goes before this one.
  std::string joined;
  std::string_view text = chunk;
  if (!held_.empty()) {
    joined = std::exchange(held_, {}) + std::string(chunk);
    text = joined;
  }
  text_begin_ = copied_ = facts_.bytes - text.size();
  changed_.clear();
  chunk_changed_ = false;
  if (auto refusal = read(chunk, text, last)) return refusal;
  const std::size_t size = text.size() - hold(text, last);
  if (chunk_changed_) insert(text_begin_ + size, {}, text);
  return send(chunk_changed_ ? std::string_view(changed_) : text.substr(0, size), last, out);
}

std::optional<Refusal> RequestBody::read(std::string_view chunk, std::string_view text, bool last) {
  FieldReader::Token token;
  reader_.feed(chunk);
  JsonStep step = reader_.next(token);
  for (; step == JsonStep::kToken; step = reader_.next(token)) {
    if (auto refusal = take(token, text)) return refusal;
  }
  if (step == JsonStep::kNeedMore && last) {
    while ((step = reader_.finish(token)) == JsonStep::kToken) {
    }
  }
  if (step == JsonStep::kInvalid) return not_json("it is not valid JSON");
  return {};
}

// Keeps a `false` or `null` that we may have to replace until it is whole; how many bytes of `text`
// that are.
std::size_t RequestBody::hold(std::string_view text, bool last) {
  const Field coming = reader_.upcoming().field;
  const std::uint64_t from = reader_.pending_from();
  const bool ours = coming == Field::kIncludeUsage || coming == Field::kStreamOptions;
  if (!wants_usage_ || last || !ours || from < text_begin_) return 0;
  held_ = text.substr(from - text_begin_);
  return held_.size();
}

std::optional<Refusal> RequestBody::take(const FieldReader::Token& token, std::string_view text) {
  switch (token.place.field) {
    case Field::kModel:
      return take_model(token);
    case Field::kStream:
      if (stream_said_) return ambiguous("stream");
      stream_said_ = true;
      facts_.streams = token.kind == JsonKind::kTrue;
      break;
    case Field::kMaxTokens:
      if (token.kind == JsonKind::kNumber) {
        std::uint64_t count = 0;
        std::from_chars(token.text.data(), token.text.data() + token.text.size(), count);
        facts_.max_tokens = std::max(facts_.max_tokens, count);
      }
      break;
    case Field::kAnswers:
      if (token.kind == JsonKind::kNumber) {
        std::uint64_t count = 0;
        std::from_chars(token.text.data(), token.text.data() + token.text.size(), count);
        facts_.answers = std::max(facts_.answers, count);
      }
      break;
    default:
      break;
  }
  if (wants_usage_) take_options(token, text);
  return {};
}

std::optional<Refusal> RequestBody::take_model(const FieldReader::Token& token) {
  if (model_said_) return ambiguous("model");
  model_said_ = true;
  // Where the path names the model it counts.
  if (token.kind != JsonKind::kString || !facts_.model.empty()) return {};
  std::string model;
  if (json_unescape(token.text, model)) {
    model.resize(std::min(model.size(), AnswerFacts::kMaxName));
    facts_.model = std::move(model);
  }
  return {};
}

// `"stream_options":{"include_usage":true}` in a request that streams, however much of it the
// client wrote.
void RequestBody::take_options(const FieldReader::Token& token, std::string_view text) {
  const bool streams = facts_.streams || !stream_said_;
  switch (token.place.field) {
    case Field::kIncludeUsage:
      include_said_ = true;
      options_empty_ = false;
      if (token.kind == JsonKind::kFalse && streams) {
        replace(token, "true", text);
        asked_for_usage_ = true;
      }
      return;
    case Field::kStreamOptions:
      options_said_ = true;
      if (token.kind == JsonKind::kNull && facts_.streams) {
        replace(token, R"({"include_usage":true})", text);
        asked_for_usage_ = true;
      } else if (token.kind == JsonKind::kObjectEnd && !include_said_ && streams) {
        insert(token.begin, options_empty_ ? R"("include_usage":true)" : R"(,"include_usage":true)",
               text);
        asked_for_usage_ = true;
      }
      return;
    default:
      break;
  }
  if (options_said_ && reader_.depth() == 2 && token.key != "") options_empty_ = false;
  if (token.kind != JsonKind::kObjectEnd || reader_.depth() != 0) return;
  if (!facts_.streams || options_said_) return;
  insert(token.begin, "," + std::string(kAskForUsage), text);
  asked_for_usage_ = true;
}

// Copies the body up to `at` into changed_, and `added` behind it.
void RequestBody::insert(std::uint64_t at, std::string_view added, std::string_view text) {
  if (copied_ < at) {
    changed_ += text.substr(copied_ - text_begin_, at - copied_);
    copied_ = at;
  }
  changed_ += added;
  chunk_changed_ = true;
}

void RequestBody::replace(const FieldReader::Token& token, std::string_view with,
                          std::string_view text) {
  insert(token.begin, with, text);
  copied_ = token.end;
}

std::optional<Refusal> RequestBody::send(std::string_view text, bool last, std::string& out) {
  if (!editor_) {
    out += text;
    return {};
  }
  std::string edited;
  Result<void> done = editor_->push(text, edited);
  if (done && last) done = editor_->finish(edited);
  return release(done, edited, out);
}

std::optional<Refusal> RequestBody::push_other(std::string_view chunk, bool last,
                                               std::string& out) {
  if (!other_error_.empty()) return unreadable(other_error_);
  if (other_editor_ == nullptr) {
    out += chunk;
    return {};
  }
  std::string edited;
  Result<void> done = other_editor_->push(chunk, edited);
  if (done && last) done = other_editor_->finish(edited);
  return release(done, edited, out);
}

// What was edited goes out, unless something says that it must not.
std::optional<Refusal> RequestBody::release(const Result<void>& done, std::string_view edited,
                                            std::string& out) const {
  if (redactor_->blocked()) {
    return Refusal{
        .status = 403,
        .code = "dlp_blocked",
        .message = fmt::format("The request was not sent: it holds data that must not leave ({}).",
                               redactor_->blocked_by().id)};
  }
  if (!done) return is_json_ ? not_json(done.error().what) : unreadable(done.error().what);
  if (!changes_ && redactor_->replaced() > 0) {
    return signed_request();
  }
  out += edited;
  return {};
}

Refusal signed_request() {
  return {.status = 403,
          .code = "dlp_signed_request",
          .message =
              "The request holds data that must not leave, and it is signed, so it cannot be "
              "sent without them."};
}

}  // namespace agentsh::llm
