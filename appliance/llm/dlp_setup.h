// The detectors and modes that a configuration's `dlp:` section asks for.
#pragma once

#include "appliance/config/config.h"
#include "base/result.h"
#include "dlp/detector.h"
#include "dlp/profile.h"

#include <span>
#include <vector>

namespace agentsh {

// The shipped detectors and the section's own. Errors: a file, a dictionary; an id that is there
// twice is the scanner's to find.
Result<std::vector<dlp::Detector>> detectors_of(const config::DlpSection& section);

// What is done about the hits of each. Errors: a mode for a detector that there is not, with what
// may have been meant.
Result<dlp::ProfileSettings> settings_of(const config::DlpSection& section,
                                         std::span<const dlp::Detector> detectors);

// Whether any detector is on: by the mode of all, or by its own.
bool looks_for_anything(const config::DlpSection& section);

dlp::Mode mode_of(config::DlpMode mode);

}  // namespace agentsh
