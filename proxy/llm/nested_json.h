// Editing a JSON document that is the text of a string: the arguments of a tool call, whose strings
// have one more level of escapes than the text that an editor is given.
//
//   NestedJson nested(redactor);   // a dlp::TextEditor like the one inside
//
// Each string of the document is a text of its own for the editor inside, decoded, with the
// member's key as its left context. What stands between strings is text too:
// numbers are looked at, and a document that is no JSON hides nothing. Replacements are escaped for
// the place where they go; where a number was they get quotes.
//
// Unlike dlp::JsonEditor it has no errors: models write arguments that are not JSON.
//
// Threads: one owner.
#pragma once

#include "dlp/text_editor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::llm {

class NestedJson final : public dlp::TextEditor {
 public:
  explicit NestedJson(dlp::TextEditor& inner) : inner_(inner) {}

  void begin(const dlp::TextOrigin& origin) override;
  void push(std::string_view text, std::vector<dlp::Edit>& edits) override;
  void finish(std::string_view last, std::vector<dlp::Edit>& edits) override;
  std::uint64_t settled() const override;

 private:
  enum class In : std::uint8_t { kGap, kString };

  void take(std::string_view text, bool at_end, std::vector<dlp::Edit>& edits);
  std::size_t take_string(std::string_view text, bool at_end, std::vector<dlp::Edit>& edits);
  void feed_plain(std::string_view text, std::vector<dlp::Edit>& edits);
  void feed_escape(std::string_view escape, std::vector<dlp::Edit>& edits);
  void open(In where);
  void close(std::vector<dlp::Edit>& edits);
  void translate(std::vector<dlp::Edit>& edits);
  std::uint64_t source_begin(std::uint64_t decoded) const;
  std::uint64_t source_end(std::uint64_t decoded) const;
  void forget_settled();

  // An escape of the current string: its bytes in the source and what they stand for.
  struct Escape {
    std::uint64_t source = 0;
    std::uint64_t source_end = 0;
    std::uint64_t decoded = 0;
    std::uint64_t decoded_end = 0;
  };

  dlp::TextEditor& inner_;
  std::vector<dlp::Edit> inner_edits_;
  std::vector<Escape> escapes_;
  std::string pending_;  // An escape that is not complete.
  std::string key_;      // The beginning of the last string.
  const dlp::FieldName* field_ = nullptr;
  std::uint64_t position_ = 0;    // In the source, after what was read.
  std::uint64_t part_begin_ = 0;  // Of the gap or string, in the source.
  std::uint64_t decoded_ = 0;     // Bytes of it that the editor inside was given.
  In in_ = In::kGap;
  bool open_ = false;
  bool gap_has_colon_ = false;
  bool gap_is_json_ = true;  // So far it could be what stands between strings in JSON.
};

}  // namespace agentsh::llm
