// One value of a result: masked, or what detectors find in it replaced. Internal to the results.
//
// What can hold text keeps its type: text with a redaction in it, JSON (strings inside are edited,
// numbers become strings), arrays of these. Of every other type the value becomes NULL when
// something is found in it: numbers, bytea (looked at as bytes), types that are not built in when
// they come in binary, dates and all others. Never left as it is.
#pragma once

#include "base/bytes.h"
#include "dlp/redactor.h"
#include "sqlguard/results/masks.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

class ValueEditor {
 public:
  enum class Outcome : std::uint8_t { kSame, kReplaced, kNull };

  // Both may be null.
  ValueEditor(std::shared_ptr<const dlp::Profile> detectors, std::shared_ptr<dlp::Vault> vault);

  bool detects() const { return redactor_.has_value(); }

  // Appends what stands in place of the value to `out` when it is replaced.
  Outcome mask(const ColumnMask& mask, std::uint32_t type, bool binary, Bytes value,
               std::string& out);
  Outcome detect(std::uint32_t type, bool binary, Bytes value, std::string& out);
  // Text of a message.
  std::string text(std::string_view text);

 private:
  Outcome detect_text(std::string_view text, std::string& out);
  Outcome detect_json(std::string_view text, std::string& out);
  Outcome detect_text_array(std::uint32_t element, std::string_view text, std::string& out);
  Outcome detect_binary_array(Bytes value, std::string& out);
  Outcome detect_binary(std::uint32_t type, Bytes value, std::string& out);
  // NULL when anything is found.
  Outcome detect_opaque(std::string_view text);

  std::optional<dlp::Redactor> redactor_;
  std::shared_ptr<dlp::Vault> vault_;
  std::vector<dlp::Edit> edits_;  // Reused.
};

}  // namespace agentsh::sql
