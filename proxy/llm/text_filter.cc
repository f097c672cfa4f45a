#include "proxy/llm/text_filter.h"

namespace agentsh::llm {
namespace {

// How many bytes at the end of `text` begin a character whose other bytes are not there.
std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const std::size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return size > back ? back : 0;
  }
  return 0;
}

dlp::TextEditor& outermost(std::optional<NestedJson>& nested, AnswerEditor& answer,
                           FilterKind kind) {
  if (kind == FilterKind::kText) return answer.editor();
  return nested.emplace(answer.editor());
}

}  // namespace

AnswerEditor::AnswerEditor(const AnswerPolicy& policy) {
  if (policy.profile != nullptr && policy.profile->looks_for_anything()) {
    redactor_.emplace(policy.profile, policy.vault, dlp::Placeholders::kRestore);
  } else {
    restorer_.emplace(policy.vault);
  }
}

dlp::TextEditor& AnswerEditor::editor() {
  if (redactor_) return *redactor_;
  return *restorer_;
}

TextFilter::TextFilter(const AnswerPolicy& policy, FilterKind kind)
    : answer_(policy), stream_(outermost(nested_, answer_, kind)) {}

void TextFilter::push(std::string_view text, std::string& out) {
  stream_.push(text, ready_);
  give(out);
}

void TextFilter::finish(std::string& out) {
  stream_.finish(ready_);
  out.append(tail_).append(ready_);
  tail_.clear();
  ready_.clear();
}

void TextFilter::give(std::string& out) {
  tail_ += ready_;
  ready_.clear();
  const std::size_t whole = tail_.size() - incomplete_tail(tail_);
  out.append(tail_, 0, whole);
  tail_.erase(0, whole);
}

}  // namespace agentsh::llm
