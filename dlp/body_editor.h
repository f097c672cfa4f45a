// Editing a request's body by its media type, as it streams: JSON in place, the values of forms,
// the text parts of multipart bodies, and everything else as plain text.
//
//   auto editor = make_body_editor(content_type, redactor, &filter);
//   if (!editor) ...                                  // a type that says it is what it cannot be
//   editor->push(chunk, out) ... editor->finish(out)  // an error: refuse
//
// What comes out is final. After an error nothing more is taken. The edited body has another length
// than the original. Threads: one owner; the TextEditor and the filter outlive it.
#pragma once

#include "base/result.h"
#include "dlp/json_editor.h"
#include "dlp/text_editor.h"
#include "dlp/text_stream.h"

#include <memory>
#include <string>
#include <string_view>

namespace agentsh::dlp {

class BodyEditor {
 public:
  virtual ~BodyEditor() = default;
  virtual Result<void> push(std::string_view chunk, std::string& out) = 0;
  virtual Result<void> finish(std::string& out) = 0;
};

// All of the body is one text.
class PlainTextEditor final : public BodyEditor {
 public:
  explicit PlainTextEditor(TextEditor& editor, const TextOrigin& origin = {})
      : stream_(editor, origin) {}

  Result<void> push(std::string_view chunk, std::string& out) override;
  // An error when the editor does not finish the text.
  Result<void> finish(std::string& out) override;

 private:
  TextStream stream_;
};

// By the value of Content-Type (RFC 9110, 8.3). JSON: application/json and anything +json. Without
// a type, and for types that are neither JSON, form nor multipart: plain text, whatever the bytes
// are. Errors: multipart without a good boundary.
Result<std::unique_ptr<BodyEditor>> make_body_editor(std::string_view content_type,
                                                     TextEditor& editor,
                                                     JsonFilter* filter = nullptr);

// A media type's name in lower case, without parameters; and a parameter's value, quotes removed.
std::string media_type(std::string_view content_type);
std::string media_parameter(std::string_view content_type, std::string_view name);

}  // namespace agentsh::dlp
