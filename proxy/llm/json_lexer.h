// The tokens of a JSON text (RFC 8259) with their places in it, as the text streams: for reading a
// few fields of a document and for changing bytes between them, without a tree.
//
//   JsonLexer lexer;
//   lexer.feed(chunk);
//   while (lexer.next(token) == JsonStep::kToken) ...
//   lexer.finish(token)   // the end of the text
//
// Checked: structure, literals, nesting, that nothing follows the value. Not checked: the inside of
// strings beyond their escapes' length, and numbers beyond their characters; whoever has to refuse
// invalid JSON lets dlp::JsonEditor read it too. Tokens do not depend on chunks, but for
// `text_cut`.
//
// Threads: one owner. Memory: kMaxDepth levels, and one token that lies over a chunk's border.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

enum class JsonKind : std::uint8_t {
  kObjectBegin,
  kObjectEnd,
  kArrayBegin,
  kArrayEnd,
  kKey,
  kString,
  kNumber,
  kTrue,
  kFalse,
  kNull,
};

struct JsonToken {
  JsonKind kind = JsonKind::kNull;
  bool escaped = false;     // Of keys and strings: there are escapes in it.
  bool text_cut = false;    // `text` is only the first kMaxSpilled bytes.
  std::uint64_t begin = 0;  // In bytes of the whole text, with the quotes of strings.
  std::uint64_t end = 0;
  // As written, without quotes; valid until the next feed().
  std::string_view text = {};
};

enum class JsonStep : std::uint8_t { kToken, kNeedMore, kInvalid };

class JsonLexer {
 public:
  static constexpr std::size_t kMaxDepth = 512;
  // How much is kept of a token that a chunk's border cuts.
  static constexpr std::size_t kMaxSpilled = 64 << 10;

  // Precondition: next() said kNeedMore to what was fed before.
  void feed(std::string_view chunk);
  JsonStep next(JsonToken& token);
  // The text ends: a number that nothing delimits, then kNeedMore when the value was complete.
  JsonStep finish(JsonToken& token);

  std::size_t depth() const { return in_array_.size(); }
  // Where the token begins that is not complete; the end of what was fed when there is none.
  std::uint64_t pending_from() const;

 private:
  enum class Expect : std::uint8_t {
    kValue,
    kValueOrEnd,
    kKeyOrEnd,
    kKey,
    kColon,
    kCommaOrEnd,
    kNothing
  };
  enum class Partial : std::uint8_t { kNone, kString, kWord };

  JsonStep start_token(char c, JsonToken& token);
  JsonStep open(bool array, JsonToken& token);
  JsonStep close(bool array, JsonToken& token);
  JsonStep read_string(JsonToken& token);
  JsonStep end_string(std::size_t start, JsonToken& token);
  JsonStep read_word(JsonToken& token);
  JsonStep end_word(JsonToken& token);
  JsonStep invalid();
  void spill(std::size_t from, std::size_t to);
  void after_value();
  std::string_view token_text(std::size_t from, std::size_t to);

  std::string_view chunk_;
  std::size_t at_ = 0;  // In chunk_.
  std::uint64_t chunk_offset_ = 0;
  std::string spilled_;
  std::vector<bool> in_array_;
  std::uint64_t token_begin_ = 0;
  Expect expect_ = Expect::kValue;
  Partial partial_ = Partial::kNone;
  bool is_key_ = false;
  bool escaped_ = false;
  bool escape_pending_ = false;
  bool cut_ = false;
  bool failed_ = false;
};

// Appends the text that a string's raw content stands for; a lone surrogate as its three bytes
// (WTF-8). False when an escape is malformed.
bool json_unescape(std::string_view raw, std::string& out);
// Appends `text` as the content of a JSON string. Three bytes of a lone surrogate become \uXXXX;
// other bytes go as they are.
void json_escape(std::string_view text, std::string& out);

}  // namespace agentsh::llm
