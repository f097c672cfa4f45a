// One JSON string's content: decoded for a TextEditor, its edits carried back to the bytes as they
// were spelled. Used by JsonEditor.
#pragma once

#include "dlp/text_editor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class JsonSplice {
 public:
  explicit JsonSplice(TextEditor& editor) : editor_(editor) {}

  void begin(const TextOrigin& origin);
  // A piece of the content between the quotes, as it stands in the JSON text. Appends to `out` what
  // is final. False when an escape is wrong, which ends the string for good.
  [[nodiscard]] bool push(std::string_view raw, std::string& out);
  // The same for the last piece. False also when the editor refused to finish the text.
  [[nodiscard]] bool finish(std::string_view raw, std::string& out);

 private:
  // A stretch of decoded bytes and of the raw bytes that spell it: literal ones, of which each
  // stands for itself, or one escape.
  struct Stretch {
    std::uint64_t decoded = 0;  // Offset of its first byte.
    std::uint32_t decoded_size = 0;
    std::uint32_t raw_size = 0;
    bool is_literal = true;
  };

  bool decode(std::string_view raw, bool at_end);
  void add_escape(std::uint32_t code_point, std::size_t raw_size);
  void apply(std::string& out);
  void emit_until(std::uint64_t decoded, std::string* out);
  std::uint64_t widened(std::uint64_t decoded, bool up) const;

  TextEditor& editor_;
  std::vector<Edit> edits_;
  std::vector<Stretch> stretches_;  // What is not out yet, from stretch first_ on.
  std::size_t first_ = 0;
  std::string kept_;            // The raw bytes of these.
  std::size_t kept_used_ = 0;   // Of them, what is out.
  std::string partial_;         // An escape that the piece ended in.
  std::string decoded_;         // Of the current piece.
  std::uint64_t received_ = 0;  // Decoded bytes so far.
};

// The escape, or the surrogate pair of two, that `raw` begins with. `size` is 0 when more of it is
// needed to tell, npos when it is none. At the end of the string a pair's first half stands alone.
struct JsonEscape {
  std::size_t size = 0;
  std::uint32_t code_point = 0;
};
JsonEscape read_json_escape(std::string_view raw, bool at_end);

// What the content of a JSON string says, up to its first wrong escape.
std::string json_unescaped(std::string_view raw);

// Appends `text` as it stands within a JSON string. Bytes that are not ASCII stay.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace agentsh::dlp
