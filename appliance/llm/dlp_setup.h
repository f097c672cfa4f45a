// The detectors and modes that a configuration's `dlp:` section asks for.
#pragma once

#include "appliance/config/config.h"
#include "base/result.h"
#include "dlp/detector.h"
#include "dlp/profile.h"
#include "dlp/scanner.h"

#include <memory>
#include <span>
#include <vector>

namespace agentsh {

// The shipped detectors and the section's own. Errors: a file, a dictionary; an id that is there
// twice is the scanner's to find.
Result<std::vector<dlp::Detector>> detectors_of(const config::DlpSection& section);

// What is done about the hits of each in requests. Errors: a mode for a detector that there is not,
// with what may have been meant.
Result<dlp::ProfileSettings> settings_of(const config::DlpSection& section,
                                         std::span<const dlp::Detector> detectors);

// The same for the answers. What is switched off in requests by its group is so in answers too.
Result<dlp::ProfileSettings> answer_settings_of(const config::DlpSection& section,
                                                std::span<const dlp::Detector> detectors);

// Whether any detector is on: by the mode of all, or by its own.
bool looks_into_requests(const config::DlpSection& section);
bool looks_into_answers(const config::DlpSection& section);

// What a session or a key has its texts looked through by; null where nothing is looked for.
struct DlpProfiles {
  std::shared_ptr<const dlp::Profile> request;
  std::shared_ptr<const dlp::Profile> answer;
};
Result<DlpProfiles> profiles_of(const config::DlpSection& section,
                                const std::shared_ptr<const dlp::Scanner>& scanner);

dlp::Mode mode_of(config::DlpMode mode);

}  // namespace agentsh
