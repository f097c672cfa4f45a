// A few detectors of every shape that matters to the engine, without the catalogue.
#pragma once

#include "dlp/profile.h"
#include "dlp/scanner.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::dlp {

std::vector<Detector> sample_detectors();
// Built once, shared by all tests of the process.
const std::shared_ptr<const Scanner>& sample_scanner();
std::shared_ptr<const Profile> sample_profile(const ProfileSettings& settings = {});

// "id:begin-end" of each hit, separated by blanks.
std::string described(const std::vector<Hit>& hits, const Scanner& scanner);

// Text of `length` bytes or a little more that is full of what the sample detectors find, of what
// they nearly find, of placeholders' forms and of odd bytes; the same for the same seed.
std::string random_text(std::uint64_t seed, std::size_t length);

}  // namespace agentsh::dlp
