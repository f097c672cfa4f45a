// The events of a streamed answer: restores placeholders in its texts, looks for secrets, learns
// what the exchange is about. It sees the events' JSON; how they are framed (SSE, AWS event stream,
// a JSON array, WebSocket) is the caller's.
//
// A text goes on over many events. Each event is given out at once with the part of its text that
// is final; what a match could still be open over is held and goes out with the next event of the
// same text, or in an event of our own before the one that ends the text. An event of which nothing
// changes keeps its bytes.
//
// Threads: one owner.
#pragma once

#include "proxy/llm/dialect_fields.h"
#include "proxy/llm/facts.h"
#include "proxy/llm/text_filter.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

// An event that is not the server's, to be sent before the one that was given in.
struct ExtraEvent {
  std::string type;  // For the framing: SSE's event line, ":event-type". Empty: none.
  std::string data;
};

struct EventOutcome {
  bool changed = false;  // `data` replaces the event's.
  bool drop = false;     // The client did not ask for it: not sent.
  std::string data;
  std::vector<ExtraEvent> before;

  void clear() {
    changed = drop = false;
    data.clear();
    before.clear();
  }
};

class StreamEditor {
 public:
  // Texts that go on at once. A stream with more of them has those beyond looked at by the delta.
  static constexpr std::size_t kMaxTexts = 256;

  struct Options {
    Dialect dialect = Dialect::kChat;
    std::string_view model = {};  // For fields_of().
    AnswerPolicy policy = {};
    bool drop_usage_event = false;  // We asked for it, not the client.
  };
  StreamEditor(const Options& options, AnswerFacts& facts);

  // `type` is what the framing says of the event; the dialects with SSE repeat it in the data.
  void process(std::string_view data, std::string_view type, EventOutcome& outcome);
  // The stream has ended: what is still held.
  void finish(EventOutcome& outcome);

  // Of all texts.
  std::vector<const dlp::Redactor*> redactors() const;
  // A blocking detector found something: the stream must not go on.
  const dlp::Redactor* blocked() const;

 private:
  struct Key {
    std::uint32_t outer = 0;
    std::uint32_t inner = 0;
    Slot slot = Slot::kContent;
    friend bool operator==(const Key&, const Key&) = default;
  };
  // A string of the event, by its place in the data.
  struct Piece {
    FieldReader::Token token;
    Key key;
    TextUse use = TextUse::kText;
    bool delta = false;
  };
  struct Text {
    Key key;
    FilterKind kind;
    std::unique_ptr<TextFilter> filter;
    // Where an event of our own gets its shape from: the last event of this text while something is
    // held. Only for dialects whose events are flat.
    std::string like;
    std::size_t like_begin = 0;  // Of the string in it, with quotes.
    std::size_t like_end = 0;
  };
  struct Index {
    std::array<std::uint32_t, 2> element;
    std::uint32_t value = 0;
  };

  bool read(std::string_view data);
  void take(const FieldReader::Token& token);
  void note_event_type(std::string_view type);
  void resolve_keys();
  bool outer_of(const Piece& piece, std::uint32_t& value) const;
  TextUse use_of_delta(const Piece& piece) const;
  void edit(std::string_view data, EventOutcome& outcome);
  bool edit_piece(const Piece& piece, std::string_view data, std::string& out);
  void edit_delta(Text& owner, const Piece& piece, std::string_view text, std::string_view data,
                  std::string& out);
  Text* text_of(const Piece& piece);
  void end_texts(EventOutcome& outcome);
  void end_others(EventOutcome& outcome);
  void flush(Text& text, EventOutcome& outcome);
  ExtraEvent event_for(const Text& text, std::string_view rest) const;
  bool ends(const Key& key) const;

  const FieldMap& map_;
  Dialect dialect_;
  Family family_;
  AnswerPolicy policy_;
  AnswerFacts& facts_;
  bool drop_usage_event_;
  bool active_;
  std::vector<Text> texts_;
  std::unique_ptr<AnswerEditor> whole_;  // For texts that are whole in one event.
  std::unique_ptr<NestedJson> whole_json_;
  std::string chat_head_;  // id, object, created, model of the last chunk, as written.

  // Of the event being processed. Reused.
  std::vector<Piece> pieces_;
  std::vector<Index> outer_;
  std::vector<Index> inner_;
  std::vector<Index> thoughts_;
  std::vector<Index> finished_;
  std::string type_;
  std::string scratch_;
  bool choices_empty_ = false;
  bool in_choices_ = false;
  bool usage_given_ = false;
};

}  // namespace agentsh::llm
