// A value that was found, by its place; and what is told about it to people and audit events, which
// never holds the value itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

struct Hit {
  std::uint64_t begin = 0;  // Of the value, in bytes from the beginning of the text.
  std::uint64_t end = 0;
  std::uint32_t detector = 0;  // Index into Scanner::detectors().
  float confidence = 0;

  friend bool operator==(const Hit&, const Hit&) = default;
};

// Hits of one detector in one field, for events: how often, how sure, where first.
struct Finding {
  std::uint32_t detector = 0;
  std::uint32_t count = 0;
  float confidence = 0;      // The highest.
  std::string field;         // JSON path, form field or part; empty for plain text.
  std::uint64_t offset = 0;  // Of the first, in the field's decoded text.
  std::uint64_t digest = 0;  // Keyed hash of the first value (Vault::digest), 0 without a vault.
};

// Findings of one message, one entry for each detector and field up to kMaximum entries; hits
// beyond are counted under an entry with an empty field.
class Findings {
 public:
  static constexpr std::size_t kMaximum = 64;

  void add(const Hit& hit, std::string_view field, std::uint64_t digest);
  const std::vector<Finding>& entries() const { return entries_; }
  std::uint64_t total() const { return total_; }
  bool empty() const { return total_ == 0; }

 private:
  std::vector<Finding> entries_;
  std::uint64_t total_ = 0;
};

}  // namespace agentsh::dlp
