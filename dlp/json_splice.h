// One JSON string's content: decoded for a TextEditor, its edits carried back to the bytes as they
// were spelled. Used by JsonEditor.
#pragma once

#include "dlp/splice.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace agentsh::dlp {

class JsonSplice {
 public:
  explicit JsonSplice(TextEditor& editor);

  void begin(const TextOrigin& origin);
  // A piece of the content between the quotes, as it stands in the JSON text. Appends to `out` what
  // is final. False when an escape is wrong, which ends the string for good.
  [[nodiscard]] bool push(std::string_view raw, std::string& out);
  // The same for the last piece. False also when the editor did not finish the text.
  [[nodiscard]] bool finish(std::string_view raw, std::string& out);

 private:
  bool decode(std::string_view raw, bool at_end);

  Splice splice_;
  bool is_fresh_ = true;  // Nothing of the string has come yet.
  std::string decoded_;   // Reused.
  std::string partial_;   // An escape that the last piece ended in.
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
