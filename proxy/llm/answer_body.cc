#include "proxy/llm/answer_body.h"

#include "dlp/json_editor.h"
#include "dlp/scanner.h"
#include "proxy/llm/answer_stream.h"
#include "proxy/llm/dialect_fields.h"
#include "proxy/llm/field_editor.h"

#include <fmt/format.h>

namespace agentsh::llm {
namespace {

std::string media_type(std::string_view content_type) {
  std::string out;
  for (char c : content_type.substr(0, content_type.find(';'))) {
    if (c != ' ' && c != '\t') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

// One JSON document.
class JsonAnswer final : public AnswerBody {
 public:
  explicit JsonAnswer(const AnswerOptions& options)
      : AnswerBody(false),
        map_(fields_of(options.target.dialect, options.model).response),
        reader_(map_) {
    if (!options.policy.active()) return;
    answer_.emplace(options.policy);
    fields_.emplace(map_, answer_->editor());
    editor_.emplace(*fields_, dlp::JsonEditorOptions{.filter = &*fields_});
  }

  std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out) override {
    empty_ = empty_ && chunk.empty();
    if (last && empty_) {
      facts_.complete = true;
      return {};
    }
    read(chunk, last);
    if (!editor_) {
      out += chunk;
      return {};
    }
    Result<void> done = editor_->push(chunk, out);
    if (done && last) done = editor_->finish(out);
    const dlp::Redactor* redactor = answer_->redactor();
    if (redactor != nullptr && redactor->blocked()) return blocked_answer(*redactor);
    if (!done) return unreadable_answer(done.error().what);
    return {};
  }

  std::vector<const dlp::Redactor*> redactors() const override {
    if (!answer_ || answer_->redactor() == nullptr) return {};
    return {answer_->redactor()};
  }

 private:
  void read(std::string_view chunk, bool last) {
    FieldReader::Token token;
    reader_.feed(chunk);
    JsonStep step = reader_.next(token);
    for (; step == JsonStep::kToken; step = reader_.next(token)) facts_.take(token);
    if (last && step == JsonStep::kNeedMore) {
      while ((step = reader_.finish(token)) == JsonStep::kToken) {
      }
      facts_.complete = step == JsonStep::kNeedMore;
    }
  }

  const FieldMap& map_;
  FieldReader reader_;
  std::optional<AnswerEditor> answer_;
  std::optional<FieldEditor> fields_;
  std::optional<dlp::JsonEditor> editor_;
  bool empty_ = true;
};

// What we cannot read is passed on, counted by its size only.
class OtherAnswer final : public AnswerBody {
 public:
  OtherAnswer() : AnswerBody(false) {}
  std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out) override {
    out += chunk;
    facts_.complete = last;
    return {};
  }
  std::vector<const dlp::Redactor*> redactors() const override { return {}; }
};

}  // namespace

Refusal blocked_answer(const dlp::Redactor& redactor) {
  return {.status = 502,
          .code = "dlp_blocked",
          .message = fmt::format("The answer was cut off: it holds data that must not be passed on "
                                 "({}).",
                                 redactor.blocked_by().id)};
}

Refusal unreadable_answer(std::string_view what) {
  return {.status = 502,
          .code = "unreadable_answer",
          .message = fmt::format("The provider's answer cannot be read: {}.", what)};
}

AnswerForm form_of(std::string_view content_type, const Target& target, bool streams) {
  const std::string type = media_type(content_type);
  if (type == "text/event-stream") return AnswerForm::kSse;
  if (type == "application/vnd.amazon.eventstream") return AnswerForm::kEventStream;
  if (type == "application/json" || type.ends_with("+json")) {
    const bool array = target.dialect == Dialect::kStreamGenerateContent;
    return array ? AnswerForm::kJsonArray : AnswerForm::kJson;
  }
  // Some answers come without saying what they are.
  if (type.empty() && target.dialect != Dialect::kOther) {
    return streams ? AnswerForm::kSse : AnswerForm::kJson;
  }
  return AnswerForm::kOther;
}

std::unique_ptr<AnswerBody> AnswerBody::make(AnswerForm form, const AnswerOptions& options) {
  switch (form) {
    case AnswerForm::kJson:
      return std::make_unique<JsonAnswer>(options);
    case AnswerForm::kSse:
      return make_sse_answer(options);
    case AnswerForm::kEventStream:
      return make_event_stream_answer(options);
    case AnswerForm::kJsonArray:
      return make_json_array_answer(options);
    case AnswerForm::kOther:
      break;
  }
  return std::make_unique<OtherAnswer>();
}

}  // namespace agentsh::llm
