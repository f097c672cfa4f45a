// Carries a TextEditor's edits from decoded text back to the bytes as they were spelled: the common
// part of what edits JSON strings and form fields.
//
//   splice.begin(origin);
//   splice.add_literal("abc"); splice.add_escape("@", "\\u0040"); splice.push(out);
//   ...
//   if (!splice.finish(out)) ...   // the editor refused
//
// A replaced range takes whole escapes with it. Threads: one owner.
#pragma once

#include "dlp/text_editor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class Splice {
 public:
  // Appends a replacement as it is spelled in the document.
  using Encode = void (*)(std::string& out, std::string_view text);

  Splice(TextEditor& editor, Encode encode) : editor_(editor), encode_(encode) {}

  void begin(const TextOrigin& origin);
  // What comes next: bytes that stand for themselves, or `decoded` spelled as `raw`.
  void add_literal(std::string_view raw);
  void add_escape(std::string_view decoded, std::string_view raw);
  // Shows the editor what was added and appends to `out` what is final.
  void push(std::string& out);
  // The same for the end of the text. False when the editor did not finish it.
  [[nodiscard]] bool finish(std::string& out);
  // For all of a text at once, without the above: shows it decoded; false when the editor did not
  // finish it. When something is to be replaced, add its parts, then have them edited.
  [[nodiscard]] bool show_whole(std::string_view decoded);
  bool is_unchanged() const { return edits_.empty(); }
  void edit_shown(std::string& out);
  // All of a text that stands for itself.
  [[nodiscard]] bool edit_whole(std::string_view raw, std::string& out);

 private:
  // A stretch of decoded bytes and of the raw bytes that spell it: literal ones, of which each
  // stands for itself, or one escape.
  struct Stretch {
    std::uint64_t decoded = 0;  // Offset of its first byte.
    std::uint64_t decoded_size = 0;
    std::uint64_t raw_size = 0;
    bool is_literal = true;
  };

  void forget_what_is_out();
  void apply(std::string& out);
  void move_until(std::uint64_t decoded, std::string* out);
  std::uint64_t widened(std::uint64_t decoded, bool up) const;

  TextEditor& editor_;
  Encode encode_;
  std::vector<Edit> edits_;
  std::vector<Stretch> stretches_;  // What is not out yet, from stretch first_ on.
  std::size_t first_ = 0;
  std::string kept_;            // The raw bytes of these.
  std::size_t kept_used_ = 0;   // Of them, what is out.
  std::string decoded_;         // What the editor has not seen.
  std::uint64_t received_ = 0;  // Decoded bytes so far.
};

}  // namespace agentsh::dlp
