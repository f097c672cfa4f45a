// The editor towards the outside: replaces, counts or refuses what a profile's detectors find.
//
// Redacted values become "[REDACTED:<detector id>]", tokenized ones the vault's placeholder. Text
// that looks like a placeholder already is tokenized as well, so that turning placeholders back
// restores any text exactly.
//
// Memory: what could still be the beginning of a match is held back: usually the last word, and
// never more than kMaxHeld bytes.
//
// Blocking: after a hit of a blocking detector blocked() is true and no later text settles; the
// caller refuses the message.
//
// One redactor serves all texts of a message one after the other (begin() for each) and collects
// their findings. Threads: one owner; the vault may be shared.
#pragma once

#include "dlp/hit.h"
#include "dlp/profile.h"
#include "dlp/scan_stream.h"
#include "dlp/text_editor.h"
#include "dlp/vault.h"

#include <memory>
#include <string>
#include <vector>

namespace agentsh::dlp {

// What is done about the vault's placeholders in the text.
enum class Placeholders : std::uint8_t {
  kTokenize,  // They are values like others (requests).
  kRestore,   // They are turned back, and hide from detectors (responses).
  kKeep,      // They stay, and hide from detectors (to look at what was tokenized).
};

class Redactor final : public TextEditor {
 public:
  static constexpr std::size_t kMaxHeld = ScanStream::kMaxHeld;

  // `vault` may be null when nothing tokenizes: a profile that does then redacts.
  Redactor(std::shared_ptr<const Profile> profile, std::shared_ptr<Vault> vault,
           Placeholders placeholders = Placeholders::kTokenize);

  void begin(const TextOrigin& origin) override;
  void push(std::string_view text, std::vector<Edit>& edits) override;
  void finish(std::string_view last, std::vector<Edit>& edits) override;
  std::uint64_t settled() const override { return blocked_ ? blocked_at_ : stream_.settled(); }

  const Findings& findings() const { return findings_; }
  // Values that were replaced so far.
  std::uint64_t replaced() const { return replaced_; }
  bool blocked() const { return blocked_; }
  // The detector that blocked. Precondition: blocked().
  const Detector& blocked_by() const;

 private:
  void act_on(const ScanStream::Found& found, std::vector<Edit>& edits);
  void act_on_placeholder(const ScanStream::Found& found, std::vector<Edit>& edits);
  std::string replacement(const ScanStream::Found& found, Mode mode);
  void replace(const Hit& hit, std::string text, std::vector<Edit>& edits);

  std::shared_ptr<const Profile> profile_;
  std::shared_ptr<Vault> vault_;
  Placeholders placeholders_;
  ScanStream stream_;
  Findings findings_;
  const FieldName* field_ = nullptr;
  std::uint64_t replaced_ = 0;
  std::uint64_t blocked_at_ = 0;
  std::uint32_t blocked_by_ = 0;
  bool blocked_ = false;
};

}  // namespace agentsh::dlp
