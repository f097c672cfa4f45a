#include "dlp/profile.h"

#include "dlp/scanner.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

struct NamedMode {
  std::string_view name;
  Mode mode;
};
constexpr NamedMode kModes[] = {{"disabled", Mode::kDisabled},
                                {"audit", Mode::kAudit},
                                {"redact", Mode::kRedact},
                                {"tokenize", Mode::kTokenize},
                                {"block", Mode::kBlock}};

}  // namespace

std::string_view to_string(Mode mode) {
  for (const NamedMode& named : kModes) {
    if (named.mode == mode) return named.name;
  }
  return "";
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (const NamedMode& named : kModes) {
    if (named.name == text) return named.mode;
  }
  return std::nullopt;
}

Result<std::shared_ptr<const Profile>> Profile::make(std::shared_ptr<const Scanner> scanner,
                                                     const ProfileSettings& settings) {
  std::shared_ptr<Profile> profile(new Profile);
  profile->mode_ = settings.mode;
  profile->min_confidence_ = settings.min_confidence;
  profile->modes_.assign(scanner->detectors().size(), settings.mode);
  for (const auto& [id, mode] : settings.detectors) {
    const auto index = scanner->find(id);
    if (!index) return fail(fmt::format("there is no detector {}", id));
    profile->modes_[*index] = mode;
  }
  const auto has = [&](auto&& holds) { return std::ranges::any_of(profile->modes_, holds); };
  profile->looks_for_anything_ = has([](Mode mode) { return mode != Mode::kDisabled; });
  profile->tokenizes_ = has([](Mode mode) { return mode == Mode::kTokenize; });
  profile->scanner_ = std::move(scanner);
  return profile;
}

}  // namespace agentsh::dlp
