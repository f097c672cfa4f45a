// multipart/* (RFC 2046, 5.1; multipart/form-data is RFC 7578): parts that are text are edited by
// their own type (none is text/plain, JSON is edited as JSON, a form as a form), all others, files
// and images, pass through byte for byte. A part's name is the left context of its text.
//
// Errors: a part's header of more than 16 KiB, no closing delimiter, text in a part that is
// compressed or encoded (Content-Transfer-Encoding base64 and quoted-printable), which could not be
// looked at.
#pragma once

#include "dlp/body_editor.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::dlp {

class MultipartEditor final : public BodyEditor {
 public:
  MultipartEditor(std::string boundary, TextEditor& editor);
  ~MultipartEditor() override;

  Result<void> push(std::string_view chunk, std::string& out) override;
  Result<void> finish(std::string& out) override;

 private:
  class Part;
  enum class State { kPreamble, kDelimiter, kHeader, kContent, kEpilogue };

  Result<bool> step(std::string& out);
  Result<bool> content(std::string& out);
  Result<bool> after_delimiter(std::string& out);
  Result<bool> header(std::string& out);
  // Takes bytes from the front of pending_: through the part's editor, or as they are.
  Result<void> take_content(std::size_t size, std::string& out);
  void take(std::size_t size, std::string& out);

  std::string delimiter_;  // CRLF, two hyphens, the boundary.
  TextEditor& editor_;
  State state_ = State::kPreamble;
  std::string pending_;  // What has come and is not decided.
  std::size_t phantom_ =
      2;  // Bytes at its front that never came: the first delimiter needs no CRLF.
  std::unique_ptr<Part> part_;
  std::optional<Error> failed_;
};

}  // namespace agentsh::dlp
