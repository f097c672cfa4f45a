// The text that goes on in the deltas of a stream: pieces in, what is final of the edited text out.
//
//   TextFilter filter(policy, FilterKind::kText);
//   filter.push(delta, out) ... filter.finish(out)
//
// What comes out ends between two characters, so that each delta is valid JSON by itself.
//
// Threads: one owner.
#pragma once

#include "dlp/redactor.h"
#include "dlp/restorer.h"
#include "dlp/text_stream.h"
#include "proxy/llm/nested_json.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace agentsh::llm {

// What is done to the texts of answers.
struct AnswerPolicy {
  std::shared_ptr<dlp::Vault> vault;            // Null: nothing is restored.
  std::shared_ptr<const dlp::Profile> profile;  // Null: nothing is looked for.
  bool vault_fills = false;                     // It may get values while the answer goes on.
  // False when an answer is not to be touched at all.
  bool active() const {
    return (vault != nullptr && (vault_fills || !vault->empty())) ||
           (profile != nullptr && profile->looks_for_anything());
  }
};

// The editor that an AnswerPolicy asks for: a Redactor that restores, or a Restorer.
class AnswerEditor {
 public:
  // Precondition: policy.active().
  explicit AnswerEditor(const AnswerPolicy& policy);
  dlp::TextEditor& editor();
  // Null when nothing is looked for.
  const dlp::Redactor* redactor() const { return redactor_ ? &*redactor_ : nullptr; }

 private:
  std::optional<dlp::Redactor> redactor_;
  std::optional<dlp::Restorer> restorer_;
};

enum class FilterKind : std::uint8_t { kText, kJson };

class TextFilter {
 public:
  TextFilter(const AnswerPolicy& policy, FilterKind kind);
  TextFilter(const TextFilter&) = delete;  // Its parts refer to each other.
  TextFilter& operator=(const TextFilter&) = delete;

  void push(std::string_view text, std::string& out);
  void finish(std::string& out);
  // Something is held back.
  bool holds() const { return stream_.held() > 0 || !tail_.empty(); }
  const dlp::Redactor* redactor() const { return answer_.redactor(); }

 private:
  void give(std::string& out);

  AnswerEditor answer_;
  std::optional<NestedJson> nested_;
  dlp::TextStream stream_;
  std::string ready_;  // Reused.
  std::string tail_;   // The beginning of a character.
};

}  // namespace agentsh::llm
