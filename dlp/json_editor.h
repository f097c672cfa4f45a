// Edits the strings of a JSON text (RFC 8259) as it streams, and nothing else: order, white space,
// the spelling of numbers and escapes outside of what is replaced stay byte for byte. Nothing is
// parsed into a tree or written again, so duplicate keys or big integers cannot change.
//
//   Redactor redactor(profile, vault);
//   JsonEditor editor(redactor, {.filter = &request_fields});
//   if (auto ok = editor.push(chunk, out); !ok) ...   // refuse the message
//   if (auto ok = editor.finish(out); !ok) ...
//
// The editor is given each string's decoded text (`\u0040` is "@", surrogate pairs are one code
// point, a lone surrogate is its three bytes of WTF-8), so escapes hide nothing. The key of a
// member is the text's left context. A replaced range takes whole escapes with it.
//
// Numbers of four characters or more are shown to the editor as text too, since 16 digits are a
// card number with or without quotes; a number in which something is replaced becomes a string.
// Keys are left alone unless the filter asks for them.
//
// Invalid JSON is an error, at once and for good: whoever sends the bytes on fails closed. So are
// nesting beyond max_depth and bytes after the value (white space aside). A UTF-8 byte order mark
// is an error as well. Text that is not UTF-8 inside strings is passed on as it is.
//
// Memory: the editor's held text, the keys of the path. Threads: one owner.
#pragma once

#include "base/result.h"
#include "dlp/text_editor.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

// Where in the document a value stands: the keys and indices that lead to it.
class JsonPath final : public FieldName {
 public:
  struct Step {
    std::string_view key;     // Decoded; the first 256 bytes of longer ones.
    std::uint64_t index = 0;  // In an array; unused in an object.
    bool in_array = false;
  };
  std::size_t depth() const { return frames_.size(); }
  Step step(std::size_t level) const;
  // The key of the member that the value is in, array levels between them skipped.
  std::string_view nearest_key() const;
  // `messages[2].content[0].text`; keys that are no names in brackets and quotes.
  std::string text() const override;
  // True when the path has the form: keys by name, "*" for any key, "[]" for any index, "**" for
  // any number of steps; e.g. {"messages", "[]", "content", "**"}.
  bool matches(std::span<const std::string_view> pattern) const;

 private:
  friend class JsonEditor;
  struct Frame {
    std::uint64_t index = 0;
    std::uint32_t key_begin = 0;  // In keys_.
    std::uint32_t key_end = 0;
    bool in_array = false;
  };
  bool matches_from(std::size_t level, std::span<const std::string_view> pattern) const;

  std::vector<Frame> frames_;
  std::string keys_;
};

enum class JsonText : std::uint8_t { kString, kNumber, kKey };

// Chooses which texts of a document are edited. Called once for each, before its first byte: for a
// key, the path's last step has none yet.
class JsonFilter {
 public:
  virtual bool wants(const JsonPath& path, JsonText what) = 0;

 protected:
  ~JsonFilter() = default;
};

struct JsonEditorOptions {
  JsonFilter* filter = nullptr;  // Null: all string values and numbers. Outlives the editor.
  unsigned max_depth = 512;
};

class JsonEditor {
 public:
  JsonEditor(TextEditor& editor, JsonEditorOptions options = {});
  ~JsonEditor();

  // Appends to `out` what is final. After an error nothing more is taken. An editor that does not
  // finish a text (a redactor that blocks) is an error too, with std::errc::permission_denied.
  Result<void> push(std::string_view chunk, std::string& out);
  // The end of the text. An error when it is not complete.
  Result<void> finish(std::string& out);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace agentsh::dlp
