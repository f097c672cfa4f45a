#include "proxy/llm/answer_stream.h"

#include "base/encoding.h"
#include "proxy/codec/event_stream/decoder.h"
#include "proxy/codec/event_stream/encoder.h"
#include "proxy/codec/sse/writer.h"
#include "proxy/llm/stream_editor.h"

#include <array>

namespace agentsh::llm {
namespace {

// What the three framings share: the events' JSON goes through one StreamEditor.
class StreamAnswer : public AnswerBody {
 public:
  std::vector<const dlp::Redactor*> redactors() const override { return editor_.redactors(); }

 protected:
  explicit StreamAnswer(const AnswerOptions& options)
      : AnswerBody(family_of(options.target.dialect) == Family::kAnthropic),
        editor_({.dialect = options.target.dialect,
                 .model = options.model,
                 .policy = options.policy,
                 .drop_usage_event = options.drop_usage_event},
                facts_) {}

  std::optional<Refusal> check() const {
    const dlp::Redactor* redactor = editor_.blocked();
    if (redactor == nullptr) return {};
    return blocked_answer(*redactor);
  }

  StreamEditor editor_;
  EventOutcome outcome_;  // Reused.
};

class SseAnswer final : public StreamAnswer {
 public:
  explicit SseAnswer(const AnswerOptions& options) : StreamAnswer(options) {}

  std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out) override {
    parser_.feed(chunk);
    sse::Event event;
    sse::Step step = parser_.next(event);
    for (; step == sse::Step::kEvent; step = parser_.next(event)) {
      take(event, out);
      if (auto refusal = check()) return refusal;
    }
    if (step == sse::Step::kTooLarge) return unreadable_answer("an event is too large");
    if (!last) return {};
    // Lenient clients read an event that lacks its last line end.
    if (parser_.finish(event)) take(event, out);
    outcome_.clear();
    editor_.finish(outcome_);
    put_extra(out);
    return check();
  }

 private:
  void take(const sse::Event& event, std::string& out) {
    if (event.data_lines == 0) {
      out += event.raw;
      return;
    }
    if (event.raw.ends_with("\r\n")) line_end_ = "\r\n";
    editor_.process(event.data, event.type, outcome_);
    put_extra(out);
    if (outcome_.drop) return;
    if (outcome_.changed) {
      sse::write_with_data(event, outcome_.data, out);
    } else {
      out += event.raw;
    }
  }

  void put_extra(std::string& out) {
    for (const ExtraEvent& extra : outcome_.before) {
      sse::write_event(extra.type, extra.data, out, line_end_);
    }
  }

  sse::Parser parser_;
  std::string_view line_end_ = "\n";
};

class EventStreamAnswer final : public StreamAnswer {
 public:
  explicit EventStreamAnswer(const AnswerOptions& options)
      : StreamAnswer(options), wrapped_(options.target.dialect == Dialect::kInvokeModelStream) {}

  std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out) override {
    decoder_.feed(chunk);
    event_stream::Message message;
    event_stream::Step step = decoder_.next(message);
    for (; step == event_stream::Step::kMessage; step = decoder_.next(message)) {
      if (!take(message, out)) return unreadable_answer("an event is too large");
      if (auto refusal = check()) return refusal;
    }
    if (step != event_stream::Step::kNeedMore) {
      return unreadable_answer("a message of its event stream is malformed");
    }
    if (!last) return {};
    // A part of a message is not passed on, so the client must see that the stream broke off.
    if (decoder_.mid_message()) return unreadable_answer("its event stream broke off");
    outcome_.clear();
    editor_.finish(outcome_);
    if (!put_extra(out)) return unreadable_answer("an event is too large");
    return check();
  }

 private:
  bool take(const event_stream::Message& message, std::string& out) {
    if (message.text(":message-type") != "event") {
      facts_.error_type = message.text(":exception-type");
      out += message.raw;
      return true;
    }
    if (wrapped_) return take_wrapped(message, out);
    editor_.process(message.payload, message.text(":event-type"), outcome_);
    if (!put_extra(out)) return false;
    if (!outcome_.changed) {
      out += message.raw;
      return true;
    }
    return event_stream::write_message(message.header_bytes, outcome_.data, out);
  }

  // InvokeModel: {"bytes":"<Base64 of the model's own event>", ...}.
  bool take_wrapped(const event_stream::Message& message, std::string& out) {
    JsonLexer lexer;
    JsonToken token;
    bool named = false;
    lexer.feed(message.payload);
    while (lexer.next(token) == JsonStep::kToken) {
      if (token.kind == JsonKind::kString && named && lexer.depth() == 1) break;
      named = token.kind == JsonKind::kKey && token.text == "bytes";
    }
    const auto inner = token.kind == JsonKind::kString ? from_base64(token.text) : std::nullopt;
    if (!inner) {
      out += message.raw;
      return true;
    }
    editor_.process(*inner, {}, outcome_);
    if (!put_extra(out)) return false;
    if (!outcome_.changed) {
      out += message.raw;
      return true;
    }
    std::string payload(message.payload.substr(0, token.begin + 1));
    payload.append(to_base64(outcome_.data)).append(message.payload.substr(token.end - 1));
    return event_stream::write_message(message.header_bytes, payload, out);
  }

  bool put_extra(std::string& out) {
    using event_stream::HeaderType;
    for (const ExtraEvent& extra : outcome_.before) {
      const std::array<event_stream::Header, 3> headers = {
          {{":event-type", HeaderType::kString, wrapped_ ? std::string_view("chunk") : extra.type},
           {":content-type", HeaderType::kString, "application/json"},
           {":message-type", HeaderType::kString, "event"}}};
      std::string header_bytes;
      event_stream::write_headers(headers, header_bytes);
      const std::string payload =
          wrapped_ ? R"({"bytes":")" + to_base64(extra.data) + R"("})" : extra.data;
      if (!event_stream::write_message(header_bytes, payload, out)) return false;
    }
    return true;
  }

  event_stream::Decoder decoder_;
  bool wrapped_;
};

// "[{...},\r\n{...}]": each element is an event.
class JsonArrayAnswer final : public StreamAnswer {
 public:
  static constexpr std::size_t kMaxElementBytes = 64 << 20;

  explicit JsonArrayAnswer(const AnswerOptions& options) : StreamAnswer(options) {}

  std::optional<Refusal> push(std::string_view chunk, bool last, std::string& out) override {
    lexer_.feed(chunk);
    std::uint64_t done = end_;  // Offset up to which the chunk is dealt with.
    const std::uint64_t begin = end_;
    end_ += chunk.size();
    JsonToken token;
    JsonStep step = lexer_.next(token);
    for (; step == JsonStep::kToken; step = lexer_.next(token)) {
      if (token.kind == JsonKind::kObjectBegin && lexer_.depth() == 2) {
        between(chunk.substr(done - begin, token.begin - done), out);
        done = token.begin;
        in_element_ = true;
      } else if (token.kind == JsonKind::kObjectEnd && lexer_.depth() == 1) {
        element_ += chunk.substr(done - begin, token.end - done);
        done = token.end;
        end_element(out);
        if (auto refusal = check()) return refusal;
      }
    }
    if (step == JsonStep::kInvalid) return unreadable_answer("it is not valid JSON");
    const std::string_view rest = chunk.substr(done - begin);
    if (in_element_) {
      element_ += rest;
    } else {
      between(rest, out);
    }
    if (element_.size() > kMaxElementBytes) return unreadable_answer("an element is too large");
    if (!last) return {};
    if (lexer_.finish(token) == JsonStep::kInvalid) return unreadable_answer("it broke off");
    return check();
  }

 private:
  void between(std::string_view text, std::string& out) {
    // What is held goes out as an element before the end of the array.
    if (const std::size_t close = text.find(']'); close != std::string_view::npos) {
      out += text.substr(0, close);
      text.remove_prefix(close);
      outcome_.clear();
      editor_.finish(outcome_);
      for (const ExtraEvent& extra : outcome_.before)
        out.append(any_ ? ",\r\n" : "").append(extra.data);
    }
    out += text;
  }

  void end_element(std::string& out) {
    editor_.process(element_, {}, outcome_);
    for (const ExtraEvent& extra : outcome_.before) out.append(extra.data).append(",\r\n");
    out += outcome_.changed ? outcome_.data : element_;
    element_.clear();
    in_element_ = false;
    any_ = true;
  }

  JsonLexer lexer_;
  std::string element_;
  std::uint64_t end_ = 0;
  bool in_element_ = false;
  bool any_ = false;
};

}  // namespace

std::unique_ptr<AnswerBody> make_sse_answer(const AnswerOptions& options) {
  return std::make_unique<SseAnswer>(options);
}
std::unique_ptr<AnswerBody> make_event_stream_answer(const AnswerOptions& options) {
  return std::make_unique<EventStreamAnswer>(options);
}
std::unique_ptr<AnswerBody> make_json_array_answer(const AnswerOptions& options) {
  return std::make_unique<JsonArrayAnswer>(options);
}

}  // namespace agentsh::llm
