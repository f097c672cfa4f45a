// application/x-www-form-urlencoded (WHATWG URL, 5): values are decoded for the editor, a name is
// its value's left context; names stay. Replacements are percent-encoded.
#pragma once

#include "dlp/body_editor.h"
#include "dlp/splice.h"

#include <string>
#include <string_view>

namespace agentsh::dlp {

class FormEditor final : public BodyEditor {
 public:
  explicit FormEditor(TextEditor& editor);

  Result<void> push(std::string_view chunk, std::string& out) override;
  Result<void> finish(std::string& out) override;

 private:
  class Name final : public FieldName {
   public:
    std::string text() const override { return value; }
    std::string value;
  };

  Result<void> value_bytes(std::string_view raw, bool at_end, std::string& out);
  void begin_value();

  Splice splice_;
  Name name_;
  std::string context_;
  std::string partial_;  // A percent escape that the chunk ended in.
  bool in_value_ = false;
};

}  // namespace agentsh::dlp
