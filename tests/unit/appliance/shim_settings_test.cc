#include "appliance/shim/shim_settings.h"

#include <gtest/gtest.h>

namespace agentsh::shim {
namespace {

std::string error_of(std::string_view text) {
  const auto settings = parse_settings(text, "shim.conf");
  return settings ? "" : settings.error().what;
}

TEST(ShimSettings, AreReadLineByLine) {
  const auto settings = parse_settings(
      "# of this image\n\nsession = build-1 # all shells\r\n\tforce=0\n", "shim.conf");
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->session, "build-1");
  EXPECT_FALSE(settings->force);
}

TEST(ShimSettings, EnforceUnlessToldOtherwise) {
  for (std::string_view text : {"", "# nothing", "force=true", "force=1", "session=a"}) {
    const auto settings = parse_settings(text, "shim.conf");
    ASSERT_TRUE(settings) << text;
    EXPECT_TRUE(settings->force) << text;
  }
  EXPECT_TRUE(load_settings("/nonexistent/shim.conf")->force);
}

TEST(ShimSettings, AnythingElseIsAnError) {
  EXPECT_EQ(error_of("\nforce=maybe"), "shim.conf:2: force is true or false");
  EXPECT_EQ(error_of("force"), "shim.conf:1: must be key=value");
  EXPECT_EQ(error_of("forse=true"), "shim.conf:1: unknown key \"forse\" (known: force, session)");
  for (std::string_view name : {"", "-x", "a b", "a/b", "a;b"}) {
    EXPECT_NE(error_of("session=" + std::string(name)), "") << name;
  }
  EXPECT_NE(error_of("session=" + std::string(129, 'a')), "");
  EXPECT_NE(error_of("ready_gate=on"), "");
  EXPECT_NE(error_of("shim_install=auto"), "");
}

}  // namespace
}  // namespace agentsh::shim
