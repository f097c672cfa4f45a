// Makes hits that overlap into one, by the rule that scanner.h states.
#pragma once

#include "dlp/hit.h"
#include "dlp/profile.h"
#include "dlp/scan_engine.h"

#include <vector>

namespace agentsh::dlp {

// Sorts and joins `hits`. Hits of disabled detectors are not among them.
void resolve_overlaps(std::vector<Hit>& hits, const Profile& profile, PlaceholderRule placeholders);

}  // namespace agentsh::dlp
