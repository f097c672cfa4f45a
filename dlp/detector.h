// What a detector is: data from the catalogue (catalogue/README.md says what each key means), from
// the configuration (custom patterns, dictionaries) or made for a secret that we hold.
//
// Plain values, immutable once they are in a Scanner.
#pragma once

#include "dlp/validators/validator.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

// The longest match of any detector, in bytes: with it the memory of a stream is bounded.
inline constexpr std::size_t kMaxMatch = 16 << 10;
// The most bytes on either side of a match in which context words are looked for.
inline constexpr std::size_t kMaxContext = 256;

enum class Kind : std::uint8_t { kSecret, kPersonal };
enum class Severity : std::uint8_t { kLow, kMedium, kHigh, kCritical };

std::string_view to_string(Kind kind);
std::string_view to_string(Severity severity);

// Words near a match, letter case ignored, as whole words.
struct ContextRule {
  std::vector<std::string> words;  // Lower case.
  std::size_t before = 60;
  std::size_t after = 0;
  bool required = false;
  double raises = 0;  // Added to the confidence when a word is there.
};

struct Detector {
  std::string id;
  Kind kind = Kind::kSecret;
  Severity severity = Severity::kHigh;
  std::string title;
  std::string provider;
  std::vector<std::string> patterns;
  std::vector<std::string> keywords;
  std::vector<Validator> validators;  // All must hold.
  ContextRule context;
  double confidence = 1;
  std::size_t max_length = 512;
  std::vector<std::string> examples;
  std::vector<std::string> counter_examples;

  // What stands in this detector's placeholders: the id's letters, upper case, twelve at most.
  std::string tag() const;
};

}  // namespace agentsh::dlp
