#include "dlp/text_stream.h"

namespace agentsh::dlp {

TextStream::TextStream(TextEditor& editor, const TextOrigin& origin) : editor_(editor) {
  editor_.begin(origin);
}

void TextStream::push(std::string_view text, std::string& out) {
  held_.append(text);
  editor_.push(text, edits_);
  emit(out);
}

bool TextStream::finish(std::string& out) {
  editor_.finish({}, edits_);
  emit(out);
  const bool is_finished = held_.empty();
  held_.clear();
  emitted_ = 0;
  editor_.begin({});
  return is_finished;
}

void TextStream::emit(std::string& out) {
  std::size_t used = 0;  // Of held_.
  for (const Edit& edit : edits_) {
    const std::size_t begin = edit.begin - emitted_;
    out.append(held_, used, begin - used);
    out.append(edit.replacement);
    used = edit.end - emitted_;
  }
  edits_.clear();
  const std::size_t settled = editor_.settled() - emitted_;
  if (settled > used) {
    out.append(held_, used, settled - used);
    used = settled;
  }
  held_.erase(0, used);
  emitted_ += used;
}

std::string edit_text(TextEditor& editor, std::string_view text) {
  std::vector<Edit> edits;
  editor.begin({});
  editor.finish(text, edits);
  std::string out;
  std::size_t used = 0;
  for (const Edit& edit : edits) {
    out.append(text, used, edit.begin - used);
    out.append(edit.replacement);
    used = edit.end;
  }
  out.append(text, used, static_cast<std::size_t>(editor.settled()) - used);
  return out;
}

}  // namespace agentsh::dlp
