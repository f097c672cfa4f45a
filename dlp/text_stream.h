// Text in, edited text out, piece by piece: what comes out of push() is final, may be sent, and
// together with what comes out of finish() is the whole edited text.
//
//   TextStream stream(redactor);              // or a Restorer
//   std::string out;
//   stream.push(delta, out);                  // `out` grows by what is final now, maybe by nothing
//   stream.finish(out);                       // the rest; the stream is then ready for a new text
//
// For deltas that are split over events: one TextStream per logical text (choice, content block);
// each event carries what its push made final, the block's end what finish() adds.
//
// Threads: one owner. The editor outlives the stream and serves no other text meanwhile.
#pragma once

#include "dlp/text_editor.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class TextStream {
 public:
  explicit TextStream(TextEditor& editor, const TextOrigin& origin = {});

  void push(std::string_view text, std::string& out);
  // False when the editor did not finish the text (a redactor that blocks).
  bool finish(std::string& out);
  // Bytes that came in and are not out yet, in whatever form.
  std::size_t held() const { return held_.size(); }

 private:
  void emit(std::string& out);

  TextEditor& editor_;
  std::vector<Edit> edits_;
  std::string held_;           // Source bytes from emitted_ on.
  std::uint64_t emitted_ = 0;  // Offset up to which the source is out.
};

// The whole of `text`, edited.
std::string edit_text(TextEditor& editor, std::string_view text);

}  // namespace agentsh::dlp
