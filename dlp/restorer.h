// The editor towards the agent: turns the vault's placeholders back into the values they stand for.
//
// Held back is only what could be the beginning of a placeholder that was issued: usually nothing,
// at most Vault::kMaxPlaceholder - 1 bytes. Letter case does not matter, since models change it.
// Restored text is not looked at again.
//
// A text that is itself JSON inside a JSON string (the arguments of a tool call) needs its values
// quoted for the inner document: `json_levels` says how many such documents the text is in, beside
// the one that its caller writes.
//
// Threads: one owner; the vault may be shared, and learn placeholders meanwhile.
#pragma once

#include "dlp/text_editor.h"
#include "dlp/vault.h"

#include <memory>
#include <string>

namespace agentsh::dlp {

class Restorer final : public TextEditor {
 public:
  explicit Restorer(std::shared_ptr<const Vault> vault, unsigned json_levels = 0)
      : vault_(std::move(vault)), json_levels_(json_levels) {}

  void begin(const TextOrigin& origin) override;
  void push(std::string_view text, std::vector<Edit>& edits) override;
  void finish(std::string_view last, std::vector<Edit>& edits) override;
  std::uint64_t settled() const override { return received_ - held_.size(); }

  void set_json_levels(unsigned levels) { json_levels_ = levels; }
  std::uint64_t restored() const { return restored_; }

 private:
  void search(bool at_end, std::vector<Edit>& edits);

  std::shared_ptr<const Vault> vault_;
  unsigned json_levels_;
  std::string held_;            // The unsettled end of the text.
  std::uint64_t received_ = 0;  // Bytes of the text so far.
  std::uint64_t restored_ = 0;
};

}  // namespace agentsh::dlp
