// The detectors and modes that a `dlp:` section asks for.
#include "appliance/llm/dlp_setup.h"

#include <gmock/gmock.h>

namespace agentsh {
namespace {

using config::DlpMode;
using config::DlpSection;
using dlp::Mode;

dlp::Detector detector(std::string id, dlp::Kind kind, dlp::Severity severity) {
  dlp::Detector made;
  made.id = std::move(id);
  made.kind = kind;
  made.severity = severity;
  return made;
}

const std::vector<dlp::Detector>& all() {
  static const std::vector<dlp::Detector> kAll = {
      detector("email", dlp::Kind::kPersonal, dlp::Severity::kMedium),
      detector("phone_us", dlp::Kind::kPersonal, dlp::Severity::kMedium),
      detector("phonebook", dlp::Kind::kPersonal, dlp::Severity::kMedium),
      detector("ipv4", dlp::Kind::kPersonal, dlp::Severity::kLow),
      detector("github_token", dlp::Kind::kSecret, dlp::Severity::kHigh)};
  return kAll;
}

std::map<std::string, Mode, std::less<>> modes(const DlpSection& section) {
  const auto settings = settings_of(section, all());
  EXPECT_TRUE(settings);
  return settings ? settings->detectors : std::map<std::string, Mode, std::less<>>();
}

TEST(DlpSetup, LowSeverityIsCountedOnly) {
  EXPECT_EQ(modes({}), (std::map<std::string, Mode, std::less<>>{{"ipv4", Mode::kAudit}}));
  EXPECT_EQ(modes({.detectors = {{"ipv4", "redact"}}}).at("ipv4"), Mode::kRedact);
}

TEST(DlpSetup, GroupsAreSwitchedOffWithWhatBelongsToThem) {
  const auto off = modes({.phone = false, .api_keys = false});
  EXPECT_EQ(off.at("phone_us"), Mode::kDisabled);
  EXPECT_EQ(off.at("github_token"), Mode::kDisabled);
  EXPECT_FALSE(off.contains("phonebook"));
  EXPECT_FALSE(off.contains("email"));
  // A detector's own mode goes before its group's.
  const auto own = modes({.api_keys = false, .detectors = {{"github_token", "block"}}});
  EXPECT_EQ(own.at("github_token"), Mode::kBlock);
}

TEST(DlpSetup, UnknownDetectorsAreNamed) {
  const auto settings = settings_of({.detectors = {{"emial", "audit"}}}, all());
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().what, testing::HasSubstr("did you mean \"email\"?"));
}

TEST(DlpSetup, OneDetectorIsEnoughToLook) {
  EXPECT_TRUE(looks_into_requests({}));
  EXPECT_FALSE(looks_into_requests({.mode = DlpMode::kDisabled}));
  EXPECT_FALSE(
      looks_into_requests({.mode = DlpMode::kDisabled, .detectors = {{"email", "disabled"}}}));
  EXPECT_TRUE(
      looks_into_requests({.mode = DlpMode::kDisabled, .detectors = {{"email", "redact"}}}));
}

TEST(DlpSetup, AnswersHaveModesOfTheirOwn) {
  EXPECT_FALSE(looks_into_answers({}));
  EXPECT_TRUE(looks_into_answers({.answers = {.mode = DlpMode::kAudit}}));
  EXPECT_TRUE(looks_into_answers({.answers = {.detectors = {{"email", "block"}}}}));
  const DlpSection section{
      .mode = DlpMode::kTokenize,
      .phone = false,
      .detectors = {{"email", "disabled"}},
      .answers = {.mode = DlpMode::kRedact, .detectors = {{"github_token", "block"}}}};
  const auto settings = answer_settings_of(section, all());
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->mode, Mode::kRedact);
  EXPECT_EQ(
      settings->detectors,
      (std::map<std::string, Mode, std::less<>>{
          {"github_token", Mode::kBlock}, {"ipv4", Mode::kAudit}, {"phone_us", Mode::kDisabled}}));
  const auto unknown = answer_settings_of({.answers = {.detectors = {{"emial", "audit"}}}}, all());
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().what, testing::HasSubstr("dlp.responses.detectors.emial"));
}

}  // namespace
}  // namespace agentsh
