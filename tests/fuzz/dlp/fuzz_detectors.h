// What the fuzz targets look with: a few detectors, built once.
#pragma once

#include "dlp/profile.h"
#include "dlp/redactor.h"
#include "dlp/vault.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace agentsh::dlp::fuzz {

inline const std::shared_ptr<const Profile>& tokenizing() {
  static const auto profile = sample_profile({.mode = Mode::kTokenize});
  return profile;
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace agentsh::dlp::fuzz
