// Between dlp::JsonEditor and a dialect's table: which strings of a body are texts, and of what
// form. The filter and the editor of one JsonEditor.
//
//   FieldEditor fields(fields_of(dialect).request, redactor);
//   dlp::JsonEditor editor(fields, {.filter = &fields});
//
// Threads: one owner. The editor inside outlives it.
#pragma once

#include "dlp/json_editor.h"
#include "proxy/llm/field_map.h"
#include "proxy/llm/nested_json.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

class FieldEditor final : public dlp::TextEditor, public dlp::JsonFilter {
 public:
  FieldEditor(const FieldMap& map, dlp::TextEditor& inner)
      : map_(map), inner_(inner), nested_(inner) {}

  bool wants(const dlp::JsonPath& path, dlp::JsonText what) override;

  void begin(const dlp::TextOrigin& origin) override;
  void push(std::string_view text, std::vector<dlp::Edit>& edits) override;
  void finish(std::string_view last, std::vector<dlp::Edit>& edits) override;
  std::uint64_t settled() const override;

 private:
  enum class Mode : std::uint8_t { kText, kJson, kDataUrl, kType, kSkip };
  bool decide(bool at_end, std::vector<dlp::Edit>& edits);

  const FieldMap& map_;
  dlp::TextEditor& inner_;
  NestedJson nested_;
  Mode mode_ = Mode::kText;
  std::uint64_t seen_ = 0;  // Of a text that is not edited.
  std::string start_;       // Of a text that may be a data: URL; or the `type` that is read.
  dlp::TextOrigin origin_;
  // The value of the last `type` and the object that it stands in.
  std::string type_;
  std::uint64_t type_owner_ = 0;
  std::uint64_t owner_ = 0;
};

}  // namespace agentsh::llm
