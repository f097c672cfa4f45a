#include "dlp/hit.h"

#include <algorithm>

namespace agentsh::dlp {

void Findings::add(const Hit& hit, std::string_view field, std::uint64_t digest) {
  ++total_;
  const auto find = [&](std::string_view name) {
    return std::ranges::find_if(entries_, [&](const Finding& finding) {
      return finding.detector == hit.detector && finding.field == name;
    });
  };
  auto entry = find(field);
  // The last places are for detectors without a field.
  if (entry == entries_.end() && entries_.size() >= kMaximum) entry = find("");
  if (entry != entries_.end()) {
    ++entry->count;
    entry->confidence = std::max(entry->confidence, hit.confidence);
    return;
  }
  const bool is_full = entries_.size() >= kMaximum;
  if (is_full && entries_.size() >= 2 * kMaximum) return;
  entries_.push_back({.detector = hit.detector,
                      .count = 1,
                      .confidence = hit.confidence,
                      .field = is_full ? std::string() : std::string(field),
                      .offset = hit.begin,
                      .digest = digest});
}

}  // namespace agentsh::dlp
