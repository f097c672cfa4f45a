#include "appliance/llm/dlp_setup.h"

#include "base/closest_word.h"
#include "base/file_io.h"
#include "dlp/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace agentsh {
namespace {

constexpr std::size_t kMaxCatalogueFile = 4 << 20;

Result<> add_files(const config::DlpSection& section, std::vector<dlp::Detector>& detectors) {
  for (const std::string& file : section.catalogue_files) {
    auto text = read_file(file, kMaxCatalogueFile);
    if (!text) return std::unexpected(with_context(text.error(), "dlp.catalogue_files"));
    auto loaded = dlp::load_catalogue(*text, file);
    if (!loaded) return std::unexpected(loaded.error());
    std::ranges::move(*loaded, std::back_inserter(detectors));
  }
  return {};
}

Result<> add_own(const config::DlpSection& section, std::vector<dlp::Detector>& detectors) {
  for (const config::DlpPattern& pattern : section.custom_patterns) {
    const std::string& title = pattern.display.empty() ? pattern.name : pattern.display;
    detectors.push_back(dlp::custom_detector(pattern.name, title, pattern.regex));
  }
  for (const config::DlpDictionary& dictionary : section.dictionaries) {
    auto detector = dlp::dictionary_detector(
        {.name = dictionary.name,
         .title = dictionary.display.empty() ? dictionary.name : dictionary.display,
         .words = dictionary.words,
         .case_sensitive = dictionary.case_sensitive});
    if (!detector) {
      return std::unexpected(
          with_context(detector.error(), "dlp.dictionaries: " + dictionary.name));
    }
    detectors.push_back(std::move(*detector));
  }
  return {};
}

// Whether a group of agentsh's dlp.patterns that is switched off has this detector.
bool is_switched_off(const config::DlpSection& section, const dlp::Detector& detector) {
  struct Group {
    bool on;
    std::string_view name;
  };
  const Group groups[] = {{section.email, "email"},
                          {section.phone, "phone"},
                          {section.credit_card, "credit_card"},
                          {section.ssn, "ssn"}};
  for (const Group& group : groups) {
    const bool member = detector.id == group.name || (detector.id.starts_with(group.name) &&
                                                      detector.id[group.name.size()] == '_');
    if (member && !group.on) return true;
  }
  return detector.kind == dlp::Kind::kSecret && !section.api_keys;
}

Error unknown_detector(std::string_view key, const std::string& id,
                       std::span<const dlp::Detector> detectors) {
  std::vector<std::string_view> ids;
  for (const dlp::Detector& detector : detectors) ids.push_back(detector.id);
  const auto meant = closest_word(id, ids);
  return Error{std::make_error_code(std::errc::invalid_argument),
               fmt::format("{}.{}: there is no such detector{}", key, id,
                           meant ? fmt::format("; did you mean \"{}\"?", *meant) : "")};
}

using Modes = std::map<std::string, std::string>;

bool is_any_on(config::DlpMode mode, const Modes& own) {
  return mode != config::DlpMode::kDisabled || std::ranges::any_of(own, [](const auto& one) {
           return config::parse_dlp_mode(one.second) != config::DlpMode::kDisabled;
         });
}

// `key`: where `own` is in the configuration.
Result<dlp::ProfileSettings> settings_of(const config::DlpSection& section, config::DlpMode mode,
                                         const Modes& own, std::string_view key,
                                         std::span<const dlp::Detector> detectors) {
  dlp::ProfileSettings settings{.mode = mode_of(mode)};
  if (settings.mode != dlp::Mode::kDisabled) {
    for (const dlp::Detector& detector : detectors) {
      if (is_switched_off(section, detector)) {
        settings.detectors[detector.id] = dlp::Mode::kDisabled;
      } else if (detector.severity == dlp::Severity::kLow) {
        settings.detectors[detector.id] = dlp::Mode::kAudit;
      }
    }
  }
  for (const auto& [id, its] : own) {
    if (std::ranges::find(detectors, id, &dlp::Detector::id) == detectors.end()) {
      return std::unexpected(unknown_detector(key, id, detectors));
    }
    settings.detectors[id] = mode_of(config::parse_dlp_mode(its).value());
  }
  return settings;
}

}  // namespace

bool looks_into_requests(const config::DlpSection& section) {
  return is_any_on(section.mode, section.detectors);
}

bool looks_into_answers(const config::DlpSection& section) {
  return is_any_on(section.answers.mode, section.answers.detectors);
}

dlp::Mode mode_of(config::DlpMode mode) {
  switch (mode) {
    case config::DlpMode::kDisabled:
      return dlp::Mode::kDisabled;
    case config::DlpMode::kAudit:
      return dlp::Mode::kAudit;
    case config::DlpMode::kTokenize:
      return dlp::Mode::kTokenize;
    case config::DlpMode::kBlock:
      return dlp::Mode::kBlock;
    case config::DlpMode::kRedact:
      break;
  }
  return dlp::Mode::kRedact;
}

Result<std::vector<dlp::Detector>> detectors_of(const config::DlpSection& section) {
  auto detectors = dlp::builtin_catalogue();
  if (!detectors) return detectors;
  if (auto added = add_files(section, *detectors); !added) return std::unexpected(added.error());
  if (auto added = add_own(section, *detectors); !added) return std::unexpected(added.error());
  return detectors;
}

Result<dlp::ProfileSettings> settings_of(const config::DlpSection& section,
                                         std::span<const dlp::Detector> detectors) {
  return settings_of(section, section.mode, section.detectors, "dlp.detectors", detectors);
}

Result<dlp::ProfileSettings> answer_settings_of(const config::DlpSection& section,
                                                std::span<const dlp::Detector> detectors) {
  const config::DlpAnswers& answers = section.answers;
  return settings_of(section, answers.mode, answers.detectors, "dlp.responses.detectors",
                     detectors);
}

Result<DlpProfiles> profiles_of(const config::DlpSection& section,
                                const std::shared_ptr<const dlp::Scanner>& scanner) {
  DlpProfiles profiles;
  const auto make = [&scanner](const Result<dlp::ProfileSettings>& settings,
                               std::shared_ptr<const dlp::Profile>& profile) -> Result<> {
    if (!settings) return std::unexpected(settings.error());
    auto made = dlp::Profile::make(scanner, *settings);
    if (!made) return std::unexpected(made.error());
    profile = std::move(*made);
    return {};
  };
  if (looks_into_requests(section)) {
    auto made = make(settings_of(section, scanner->detectors()), profiles.request);
    if (!made) return std::unexpected(made.error());
  }
  if (looks_into_answers(section)) {
    auto made = make(answer_settings_of(section, scanner->detectors()), profiles.answer);
    if (!made) return std::unexpected(made.error());
  }
  return profiles;
}

}  // namespace agentsh
