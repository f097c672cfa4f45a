// What is done about each detector's hits: the `dlp:` settings of a configuration, a session or a
// gateway key, resolved against a scanner's detectors.
//
//   auto profile = Profile::make(scanner, {.mode = Mode::kTokenize,
//                                          .detectors = {{"email", Mode::kAudit}}});
//
// Immutable, so any thread may use it.
#pragma once

#include "base/result.h"
#include "dlp/detector.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

class Scanner;

enum class Mode : std::uint8_t {
  kDisabled,  // Not looked for.
  kAudit,     // Counted, left as it is.
  kRedact,    // Replaced by [REDACTED:<id>], for good.
  kTokenize,  // Replaced by a placeholder that the vault can turn back.
  kBlock,     // The whole message is refused.
};

std::string_view to_string(Mode mode);
// "redact", "tokenize", "block", "audit" or "disabled".
std::optional<Mode> parse_mode(std::string_view text);

struct ProfileSettings {
  Mode mode = Mode::kRedact;
  std::map<std::string, Mode, std::less<>> detectors;  // By id; others have `mode`.
  double min_confidence = 0.5;                         // Hits below it are none.
};

class Profile {
 public:
  // Errors: a detector that the scanner does not have.
  static Result<std::shared_ptr<const Profile>> make(std::shared_ptr<const Scanner> scanner,
                                                     const ProfileSettings& settings);

  const std::shared_ptr<const Scanner>& scanner() const { return scanner_; }
  Mode mode() const { return mode_; }
  Mode mode_of(std::uint32_t detector) const { return modes_[detector]; }
  double min_confidence() const { return min_confidence_; }
  // False when every detector is disabled.
  bool looks_for_anything() const { return looks_for_anything_; }
  // True when some detector's values become placeholders.
  bool tokenizes() const { return tokenizes_; }

 private:
  Profile() = default;
  std::shared_ptr<const Scanner> scanner_;
  Mode mode_ = Mode::kDisabled;
  std::vector<Mode> modes_;
  double min_confidence_ = 0;
  bool looks_for_anything_ = false;
  bool tokenizes_ = false;
};

}  // namespace agentsh::dlp
