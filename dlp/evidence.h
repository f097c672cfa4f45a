// Cheap tests for text in which some patterns cannot match.
//
// A pattern without a literal that an automaton could look for (an identity number, a card number,
// a wallet's address) is tried at every word, and a hundred of them together are slow. But each of
// their matches holds certain bytes close together: five digits, or a long run of letters and
// digits. Prose and code have few such places, which are found
// at several GB/s; the patterns are tried there only. It changes nothing about what is found.
#pragma once

#include "dlp/pattern_shape.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

enum class Evidence : std::uint8_t {
  kToken,      // 20 of 0-9, A-Z and a-z in a row.
  kDigits,     // 5 of 0-9 within 16 bytes.
  kFewDigits,  // 4 of 0-9 within 8 bytes.
};
inline constexpr std::size_t kEvidenceKinds = 3;

// The first of the kinds, the rarest, that every match of the pattern holds; nothing when none is
// sure.
std::optional<Evidence> evidence_of(const PatternShape& shape);

struct EvidenceRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};
// Sets `places` to where the evidence is complete in text[floor...], and maybe more where there are
// many digits: ranges of places, ascending.
void find_evidence(Evidence kind, std::string_view text, std::size_t floor,
                   std::vector<EvidenceRange>& places);
// Sets `ranges` to those of `text` that hold every match which begins at or after `floor`, is no
// longer than `reach` and holds the evidence, with a byte on either side; ascending, apart.
void ranges_around(const std::vector<EvidenceRange>& places, std::size_t text_size,
                   std::size_t floor, std::size_t reach, std::vector<EvidenceRange>& ranges);

}  // namespace agentsh::dlp
