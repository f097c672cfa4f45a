// Editing one logical text as it streams: an LLM's delta texts, a JSON string's decoded content, a
// form field. The editor is fed pieces and says which ranges of the text are to be replaced by
// what, and up to where its word is final.
//
//   editor.begin({});
//   for (piece : pieces) editor.push(piece, edits);   // edits in ascending order, never revised
//   editor.finish({}, edits);
//
// What lies before settled() and in no edit stays as it is. The concatenation of all pieces alone
// determines the edits: chunking does not matter. text_stream.h makes plain text out of it;
// json_editor.h and the body_* editors apply it inside their formats.
//
// Threads: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

struct Edit {
  std::uint64_t begin = 0;  // In bytes of the logical text.
  std::uint64_t end = 0;
  std::string replacement;
};

// Names the text's place in its document for findings, when one is made.
class FieldName {
 public:
  virtual std::string text() const = 0;

 protected:
  ~FieldName() = default;
};

struct TextOrigin {
  // What stands before the text for patterns and context words, such as the member's key: at most
  // kMaxContext bytes, read by begin() only.
  std::string_view left_context;
  // Outlives the text, or null.
  const FieldName* field = nullptr;
};

class TextEditor {
 public:
  virtual ~TextEditor() = default;

  // A new text begins. Whatever was not finished is forgotten.
  virtual void begin(const TextOrigin& origin) = 0;
  virtual void push(std::string_view text, std::vector<Edit>& edits) = 0;
  // The last piece, which may be empty or all of the text. A new text begins with begin().
  virtual void finish(std::string_view last, std::vector<Edit>& edits) = 0;
  // Everything before this offset is final.
  virtual std::uint64_t settled() const = 0;
};

}  // namespace agentsh::dlp
